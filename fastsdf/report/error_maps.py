# SPDX-License-Identifier: MIT
"""Pictures of a surface coloured by a distance, from teal (0) over yellow and orange to crimson (the scale's end)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from fastsdf.evaluation.mesh_distance import ClosestPoint
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.numerics.colormap import on_scale
from fastsdf.rendering.camera import Camera
from fastsdf.rendering.pictures import GAMMA, below_ceiling, draw, facing_only, without_ceiling
from fastsdf.spatial.voxel_downsample import evenly

Surface = TriangleMesh | PointCloud
Distance = Callable[[np.ndarray], np.ndarray]

STOPS = np.array([0.0, 0.35, 0.7, 1.0])
COLORS = np.array([[0.33, 0.66, 0.67], [0.98, 0.86, 0.36], [0.92, 0.43, 0.16], [0.55, 0.03, 0.18]])
UNASKED = np.array([0.62, 0.64, 0.68])
MOST_SPLATS = 300_000
SPLAT_SPACINGS = 1.3


class ErrorMap(NamedTuple):
    """A surface and the distance of its places, z up.

    Attributes:
        surface: what is drawn; points are drawn as small squares.
        distance: of places (n, 3) on it, metres (n,); NaN where nothing is asked for.
        reach: the distance at the end of the colour scale, metres.
        spacing: side of the square that a point stands for, metres.
    """

    surface: Surface
    distance: Distance
    reach: float
    spacing: float

    def from_above(self, overhead: Callable[[np.ndarray, np.ndarray], Camera]) -> np.ndarray:
        """(height, width, 3) picture without ceiling, by a camera made from the corners of what is left."""
        if isinstance(self.surface, TriangleMesh):
            low = without_ceiling(self.surface)
            camera = overhead(low.vertices.min(0), low.vertices.max(0))
        else:
            low = self.surface.select(below_ceiling(self.surface.points))
            camera = overhead(low.points.min(0), low.points.max(0))
        return self._draw(facing_only(self._as_mesh(low, camera), camera.eye), camera)

    def inside(self, camera: Camera) -> np.ndarray:
        """(height, width, 3) picture by a camera among the surface."""
        return self._draw(self._as_mesh(self.surface, camera), camera)

    def _draw(self, mesh: TriangleMesh, camera: Camera) -> np.ndarray:
        return draw(mesh, camera, lambda places: error_colors(self.distance(places) / self.reach) ** GAMMA)

    def _as_mesh(self, surface: Surface, camera: Camera) -> TriangleMesh:
        return surface if isinstance(surface, TriangleMesh) else splats(surface, SPLAT_SPACINGS * self.spacing, camera)


def error_colors(share: np.ndarray) -> np.ndarray:
    """(n, 3) colours, 0 to 1 as on a screen, of shares (n,) of the scale; grey where a share is NaN."""
    colors = on_scale(share, COLORS, STOPS)
    colors[np.isnan(share)] = UNASKED
    return colors


def splats(cloud: PointCloud, side: float, camera: Camera) -> TriangleMesh:
    """Squares that face a camera, one per point; points whose normals turn away from it are left out."""
    points = cloud.points
    if cloud.normals is not None:
        points = points[((points - camera.eye) * cloud.normals).sum(1) < 0]
    right, down = side / 2 * camera.axes[0], side / 2 * camera.axes[1]
    corners = np.stack([points - right - down, points + right - down, points + right + down, points - right + down], 1)
    first = 4 * np.arange(len(points))[:, None]
    faces = np.concatenate([first + np.array(order) for order in ((0, 2, 1), (0, 3, 2))])
    return TriangleMesh(corners.reshape(-1, 3), faces)


def thinned(cloud: PointCloud) -> PointCloud:
    """At most 300,000 of the points, spread evenly over their order."""
    return cloud.select(evenly(len(cloud), MOST_SPLATS)) if len(cloud) > MOST_SPLATS else cloud


def distance_to(surface: Surface) -> Distance:
    """World points (n, 3) -> (n,) distance to a mesh, or to the nearest of points."""
    if isinstance(surface, TriangleMesh):
        closest = ClosestPoint(surface)
        return lambda places: closest.distance(places)[0]
    tree = KDTree(surface.points)
    return lambda places: tree.query(places, workers=-1)[0]


def distance_at_points(target: TriangleMesh, points: np.ndarray) -> Distance:
    """Places (n, 3) -> (n,) the distance to a mesh of the nearest of points (m, 3), whose squares face the camera."""
    values, tree = distance_to(target)(points), KDTree(points)
    return lambda places: values[tree.query(places, workers=-1)[1]]


def distance_where_observed(target: TriangleMesh, observed: PointCloud, spacing: float) -> Distance:
    """`distance_to` a mesh, NaN at places farther than 3 spacings from every observed point."""
    measure, tree = distance_to(target), KDTree(observed.points)

    def distance(places: np.ndarray) -> np.ndarray:
        near = np.isfinite(tree.query(places, distance_upper_bound=3 * spacing, workers=-1)[0])
        return np.where(near, measure(places), np.nan)

    return distance
