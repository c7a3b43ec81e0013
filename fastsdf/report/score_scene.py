# SPDX-License-Identifier: MIT
"""A scored mesh and its reference in a frame with z up, with cameras that look at both."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from fastsdf.errors import MeshingError
from fastsdf.evaluation.directed_distances import DirectedDistances, sample_mesh
from fastsdf.evaluation.metrics import Metrics
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.rendering.camera import Camera
from fastsdf.rendering.scene import DENSE_QUANTILES, Box, camera_box_of, frame_of, to_frame
from fastsdf.rendering.viewpoints import Field, cameras_in_air
from fastsdf.report.error_maps import Surface, thinned

AIR_SAMPLES = 60_000  # surface samples from which the air is told from the solid; bounds the time, not swept
SCALE_QUANTILE = 0.95  # of the distances that the colour scale must cover; chosen: outliers do not stretch the scale


@dataclass(frozen=True)
class ScoredScene:
    """Everything that is drawn; coordinates are in the z-up frame, lengths in metres.

    Attributes:
        names: world axes that the axes of the frame follow.
        axes: (3, 3) the frame's axes in the world, one per row.
        mesh: the scored mesh; its faces are flipped if it is inside out relative to the reference.
        reference: the true surface.
        observed: the observed points on which recall is measured, or None.
        metrics: the metrics of the comparison, with the distances behind them.
        precision_distances, recall_distances: distances in both directions, with their samples in the frame.
        cameras: views from inside a room, or from around an object.
        is_object: whether the air surrounds the mesh, rather than lying inside it.
        inside_out: whether the faces of ``mesh`` were flipped.
    """

    names: tuple[str, str, str]
    axes: np.ndarray
    mesh: TriangleMesh
    reference: Surface
    observed: PointCloud | None
    metrics: Metrics
    precision_distances: DirectedDistances
    recall_distances: DirectedDistances
    cameras: list[Camera]
    is_object: bool
    inside_out: bool

    def scale_end(self, distance: np.ndarray) -> float:
        """End of the colour scale, metres: the smallest threshold above 95% of the distances (n,), else the largest."""
        enough = [limit for limit in self.metrics.thresholds if limit >= np.quantile(distance, SCALE_QUANTILE)]
        return min(enough) if enough else max(self.metrics.thresholds)


def make_scored_scene(
    mesh: TriangleMesh, reference: Surface, observed: PointCloud | None, metrics: Metrics, up: str
) -> ScoredScene:
    """Build the scene of an evaluation.

    Args:
        mesh, reference, observed: the compared surfaces, world coordinates.
        metrics: result of `fastsdf.evaluation.evaluate` for them.
        up: the world axis that points up (`fastsdf.rendering.scene.check_up`).
    """
    names, axes = frame_of(up)
    signed = metrics.normal_consistency_signed
    inside_out = signed is not None and signed < 0
    mesh = to_frame(_flipped(mesh) if inside_out else mesh, axes)
    samples = sample_mesh(mesh, AIR_SAMPLES, np.random.default_rng(0))
    is_object = _encloses_solid(samples)
    cameras = _cameras(mesh, samples, is_object)
    return ScoredScene(
        names,
        axes,
        replace(mesh, colors=None),
        _surface_to_frame(reference, axes),
        None if observed is None else thinned(_cloud_to_frame(observed, axes)),
        metrics,
        _side_to_frame(metrics.precision_distances, axes),
        _side_to_frame(metrics.recall_distances, axes),
        cameras,
        is_object,
        inside_out,
    )


def approximate_distance(samples: PointCloud) -> Field:
    """An approximate signed distance: to the nearest of the samples, positive on the side its normal points to."""
    points, normals = samples.points, samples.normals
    assert normals is not None
    tree = KDTree(points)

    def measure(queries: np.ndarray) -> np.ndarray:
        distance, nearest = tree.query(queries, workers=-1)
        return np.where(((queries - points[nearest]) * normals[nearest]).sum(1) < 0, -distance, distance)

    return measure


def _cameras(mesh: TriangleMesh, samples: PointCloud, is_object: bool) -> list[Camera]:
    """Two cameras in the air; an empty list if there is no air at eye level."""
    dense = Box(*np.quantile(samples.points, DENSE_QUANTILES, axis=0))
    target = (dense.lower + dense.upper) / 2 if is_object else None
    try:
        return cameras_in_air(approximate_distance(samples), *camera_box_of(dense, is_object), mesh, target)
    except MeshingError:
        return []


def _encloses_solid(samples: PointCloud) -> bool:
    """Whether most of the surface faces outwards from its centre; normals point into the air."""
    normals = samples.normals
    assert normals is not None
    return bool(((samples.points - samples.points.mean(0)) * normals).sum() > 0)


def _flipped(mesh: TriangleMesh) -> TriangleMesh:
    return replace(mesh, faces=mesh.faces[:, ::-1], normals=None if mesh.normals is None else -mesh.normals)


def _cloud_to_frame(cloud: PointCloud, axes: np.ndarray) -> PointCloud:
    """The points and normals of a cloud in the frame; other attributes are dropped."""
    normals = None if cloud.normals is None else cloud.normals @ axes.T
    return PointCloud(cloud.points @ axes.T, normals=normals)


def _surface_to_frame(surface: Surface, axes: np.ndarray) -> Surface:
    if isinstance(surface, TriangleMesh):
        return replace(to_frame(surface, axes), colors=None)
    return _cloud_to_frame(surface, axes)


def _side_to_frame(side: DirectedDistances, axes: np.ndarray) -> DirectedDistances:
    return side._replace(points=side.points @ axes.T)
