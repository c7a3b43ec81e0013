# SPDX-License-Identifier: MIT
"""Renders surfaces coloured by a distance: teal (0), yellow, orange, crimson (end of the colour scale)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.numerics.colormap import interpolate_colors
from fastsdf.rendering.camera import Camera
from fastsdf.rendering.pictures import GAMMA, below_ceiling, draw, without_back_faces, without_ceiling
from fastsdf.spatial.voxel_downsample import even_indices

Surface = TriangleMesh | PointCloud
Distance = Callable[[np.ndarray], np.ndarray]

STOPS = np.array([0.0, 0.35, 0.7, 1.0])  # positions of COLORS on the scale; chosen by eye
COLORS = np.array([[0.33, 0.66, 0.67], [0.98, 0.86, 0.36], [0.92, 0.43, 0.16], [0.55, 0.03, 0.18]])  # displayed RGB
UNOBSERVED_COLOR = np.array([0.62, 0.64, 0.68])  # displayed RGB, grey; of surface that is not scored
MAX_SPLATS = 300_000  # drawn points; bounds the time, not swept
SPLAT_SPACINGS = 1.3  # edge of a drawn square in point spacings; chosen by eye: closes the gaps between points
OBSERVED_SPACINGS = 3  # surface within so many spacings of an observed point is scored; chosen, not swept


class ErrorMap(NamedTuple):
    """A surface, z up, with a distance to be shown on it.

    Attributes:
        surface: the surface to draw; points are drawn as small squares.
        distance: maps points (n, 3) on the surface to distances (n,), metres; NaN for surface that is not scored.
        scale_end: distance at the end of the colour scale, metres.
        spacing: edge of the square of surface that each point covers, metres.
    """

    surface: Surface
    distance: Distance
    scale_end: float
    spacing: float

    def from_above(self, overhead: Callable[[np.ndarray, np.ndarray], Camera]) -> np.ndarray:
        """Draw the surface without its ceiling.

        Args:
            overhead: makes a camera from the lower and upper corner (3,) of the remaining surface.

        Returns:
            (height, width, 3) uint8.
        """
        if isinstance(self.surface, TriangleMesh):
            low = without_ceiling(self.surface)
            camera = overhead(low.vertices.min(0), low.vertices.max(0))
        else:
            low = self.surface.select(below_ceiling(self.surface.points))
            camera = overhead(low.points.min(0), low.points.max(0))
        return self._draw(without_back_faces(self._as_mesh(low, camera), camera.eye), camera)

    def inside(self, camera: Camera) -> np.ndarray:
        """Draw the whole surface, (height, width, 3) uint8."""
        return self._draw(self._as_mesh(self.surface, camera), camera)

    def _draw(self, mesh: TriangleMesh, camera: Camera) -> np.ndarray:
        return draw(mesh, camera, lambda points: error_colors(self.distance(points) / self.scale_end) ** GAMMA)

    def _as_mesh(self, surface: Surface, camera: Camera) -> TriangleMesh:
        return surface if isinstance(surface, TriangleMesh) else splats(surface, SPLAT_SPACINGS * self.spacing, camera)


def error_colors(position: np.ndarray) -> np.ndarray:
    """Displayed RGB colours (n, 3), 0 to 1, of positions (n,) on the colour scale; grey for NaN."""
    colors = interpolate_colors(position, COLORS, STOPS)
    colors[np.isnan(position)] = UNOBSERVED_COLOR
    return colors


def splats(cloud: PointCloud, side: float, camera: Camera) -> TriangleMesh:
    """Replace points by squares that face a camera; points whose normals point away from it are dropped.

    Args:
        cloud: points, maybe with normals.
        side: edge length of the squares.
        camera: the camera.
    """
    points = cloud.points
    if cloud.normals is not None:
        points = points[((points - camera.eye) * cloud.normals).sum(1) < 0]
    right, down = side / 2 * camera.axes[0], side / 2 * camera.axes[1]
    corners = np.stack([points - right - down, points + right - down, points + right + down, points - right + down], 1)
    first = 4 * np.arange(len(points))[:, None]
    faces = np.concatenate([first + np.array(order) for order in ((0, 2, 1), (0, 3, 2))])
    return TriangleMesh(corners.reshape(-1, 3), faces)


def thinned(cloud: PointCloud) -> PointCloud:
    """At most 300,000 of the points, evenly spaced over their order."""
    return cloud.select(even_indices(len(cloud), MAX_SPLATS)) if len(cloud) > MAX_SPLATS else cloud


def distance_to(surface: Surface) -> Distance:
    """A function that maps query points (n, 3) to their distances (n,) to a mesh, or to the nearest of some points."""
    if isinstance(surface, TriangleMesh):
        closest = mesh_distance(surface)
        return lambda queries: closest.distance(queries)[0]
    tree = KDTree(surface.points)
    return lambda queries: tree.query(queries, workers=-1)[0]


def distance_at_points(target: TriangleMesh, points: np.ndarray) -> Distance:
    """A function that gives every query point the distance to ``target`` of the nearest of the points (m, 3).

    It colours the squares drawn for the points: a whole square gets the distance of its point.
    """
    values, tree = distance_to(target)(points), KDTree(points)
    return lambda queries: values[tree.query(queries, workers=-1)[1]]


def distance_where_observed(target: TriangleMesh, observed: PointCloud, spacing: float) -> Distance:
    """`distance_to` a mesh, but NaN for query points farther than three spacings from every observed point."""
    measure, tree = distance_to(target), KDTree(observed.points)

    def distance(queries: np.ndarray) -> np.ndarray:
        nearest = tree.query(queries, distance_upper_bound=OBSERVED_SPACINGS * spacing, workers=-1)[0]
        return np.where(np.isfinite(nearest), measure(queries), np.nan)

    return distance
