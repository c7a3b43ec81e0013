# SPDX-License-Identifier: MIT
"""A scored mesh and its reference in a frame where z is up, and the cameras that look at both."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from fastsdf.errors import MeshingError
from fastsdf.evaluation.metrics import Metrics
from fastsdf.evaluation.sides import Side, sample_mesh
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.rendering.camera import Camera
from fastsdf.rendering.scene import DENSE_QUANTILES, Box, frame_of, standing_box, turned
from fastsdf.rendering.viewpoints import Field, cameras_in_air
from fastsdf.report.error_maps import Surface, thinned

AIR_SAMPLES = 60_000
SCALE_QUANTILE = 0.95


@dataclass(frozen=True)
class ScoredScene:
    """What is drawn; coordinates are those of the turned frame, lengths are metres.

    Attributes:
        names: of the frame's axes in the world.
        axes: (3, 3) the frame's axes in the world, one per row.
        mesh: what is scored; turned inside out where the reference says so.
        reference: the true surface.
        observed: the points to be found, if they were given.
        metrics: the figures, and the distances behind them.
        precise, recalled: these distances, with their samples in the frame.
        cameras: views from within a room, or from around an object.
        is_object: whether the air is around the mesh rather than inside.
        inside_out: whether ``mesh`` was turned.
    """

    names: tuple[str, str, str]
    axes: np.ndarray
    mesh: TriangleMesh
    reference: Surface
    observed: PointCloud | None
    metrics: Metrics
    precise: Side
    recalled: Side
    cameras: list[Camera]
    is_object: bool
    inside_out: bool

    def reach(self, distance: np.ndarray) -> float:
        """End of the colour scale, metres: the least threshold that 95% of the distances (n,) keep, or the largest."""
        kept = [limit for limit in self.metrics.thresholds if limit >= np.quantile(distance, SCALE_QUANTILE)]
        return min(kept) if kept else max(self.metrics.thresholds)


def make_scored_scene(
    mesh: TriangleMesh, reference: Surface, observed: PointCloud | None, metrics: Metrics, up: str
) -> ScoredScene:
    """The scene of a score (`fastsdf.evaluation.evaluate`), with the world's axis ``up`` as z."""
    names, axes = frame_of(up)
    signed = metrics.normal_consistency_signed
    inside_out = signed is not None and signed < 0
    mesh = turned(_turned_over(mesh) if inside_out else mesh, axes)
    samples = sample_mesh(mesh, AIR_SAMPLES, np.random.default_rng(0))
    is_object = _encloses_solid(samples)
    cameras = _cameras(mesh, samples, is_object)
    return ScoredScene(
        names,
        axes,
        replace(mesh, colors=None),
        _turned_surface(reference, axes),
        None if observed is None else thinned(_turned_cloud(observed, axes)),
        metrics,
        _turned_side(metrics.precise, axes),
        _turned_side(metrics.recalled, axes),
        cameras,
        is_object,
        inside_out,
    )


def about_distance(samples: PointCloud) -> Field:
    """The distance to the nearest of samples with normals, positive on the side that its normal points to."""
    points, normals = samples.points, samples.normals
    assert normals is not None
    tree = KDTree(points)

    def measure(places: np.ndarray) -> np.ndarray:
        gap, nearest = tree.query(places, workers=-1)
        return np.where(((places - points[nearest]) * normals[nearest]).sum(1) < 0, -gap, gap)

    return measure


def _cameras(mesh: TriangleMesh, samples: PointCloud, is_object: bool) -> list[Camera]:
    """Two cameras in the air; none where no air is found at eye level."""
    dense = Box(*np.quantile(samples.points, DENSE_QUANTILES, axis=0))
    target = (dense.lower + dense.upper) / 2 if is_object else None
    try:
        return cameras_in_air(about_distance(samples), *standing_box(dense, is_object), mesh, target)
    except MeshingError:
        return []


def _encloses_solid(samples: PointCloud) -> bool:
    """Whether most of the surface, seen from its middle, faces outwards: normals point into the air."""
    normals = samples.normals
    assert normals is not None
    return bool(((samples.points - samples.points.mean(0)) * normals).sum() > 0)


def _turned_over(mesh: TriangleMesh) -> TriangleMesh:
    return replace(mesh, faces=mesh.faces[:, ::-1], normals=None if mesh.normals is None else -mesh.normals)


def _turned_cloud(cloud: PointCloud, axes: np.ndarray) -> PointCloud:
    """Points and normals of a cloud in the frame; the rest is left out."""
    normals = None if cloud.normals is None else cloud.normals @ axes.T
    return PointCloud(cloud.points @ axes.T, normals=normals)


def _turned_surface(surface: Surface, axes: np.ndarray) -> Surface:
    if isinstance(surface, TriangleMesh):
        return replace(turned(surface, axes), colors=None)
    return _turned_cloud(surface, axes)


def _turned_side(side: Side, axes: np.ndarray) -> Side:
    return side._replace(points=side.points @ axes.T)
