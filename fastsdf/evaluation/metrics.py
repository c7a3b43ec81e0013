# SPDX-License-Identifier: MIT
"""Computes the metrics of a mesh against a reference: distances, F-scores, normals, hallucinated area, topology."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from fastsdf.errors import InputError
from fastsdf.evaluation.directed_distances import DirectedDistances, both_directions
from fastsdf.evaluation.point_labels import LabelledMetrics, PointLabels, labelled_metrics
from fastsdf.evaluation.protocols import protocol_named
from fastsdf.evaluation.topology import face_normals, topology
from fastsdf.geometry import PointCloud, TriangleMesh


@dataclass(frozen=True)
class Metrics:
    """Results of ``evaluate``: lengths in metres, shares 0 to 1, None where the reference does not determine a value.

    Attributes:
        protocol: name of the protocol.
        reference_kind: "mesh", "points" or "points with normals" (distances to the nearest point, not to a surface).
        recall_kind: "reference", or "observed" if observed points were given.
        samples: area-uniform samples on the mesh.
        recall_samples: points of the recall direction.
        seed: seed of all sampling.
        accuracy: mean distance of mesh samples to the reference; ``accuracy_median`` likewise.
        completeness: mean distance of the recall points to the mesh; ``completeness_median`` likewise.
        chamfer_l1: (accuracy + completeness) / 2.
        chamfer_l2_squared: sum of both mean squared distances, m^2.
        thresholds: distance limits of ``precision``, ``recall`` and ``f_score``, in the same order.
        normal_consistency: mean absolute cosine between normals, averaged over both directions.
        normal_consistency_signed: the same with the sign: 1 if all normals agree, -1 if the mesh is inside out.
        hausdorff: the largest distance in either direction; ``hausdorff95``: the larger of the two 95th percentiles.
        hallucination_m: distance from the reference beyond which mesh area counts as hallucinated.
        hallucinated_share: share of the mesh's area that is hallucinated; ``hallucinated_area``: the same in m^2.
        labelled: metrics on the thin and planar observed points, if labels were given.
        precision_distances: distances from mesh samples to the reference.
        recall_distances: distances from the recall points to the mesh.
    """

    protocol: str
    reference_kind: str
    recall_kind: str
    samples: int
    recall_samples: int
    seed: int
    accuracy: float
    accuracy_median: float
    completeness: float
    completeness_median: float
    chamfer_l1: float
    chamfer_l2_squared: float
    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f_score: tuple[float, ...]
    normal_consistency: float | None
    normal_consistency_signed: float | None
    hausdorff: float
    hausdorff95: float
    hallucination_m: float
    hallucinated_share: float
    hallucinated_area: float
    area: float
    faces: int
    vertices: int
    components: int
    watertight: bool
    boundary_edges: int
    nonmanifold_edges: int
    labelled: LabelledMetrics
    precision_distances: DirectedDistances = field(repr=False, compare=False)
    recall_distances: DirectedDistances = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, object]:
        """Returns the metrics as plain values for JSON: tuples as lists, labelled metrics beside the others."""
        left_out = {"labelled", "precision_distances", "recall_distances"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        values |= self.labelled._asdict()
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def evaluate(
    mesh: TriangleMesh,
    reference: TriangleMesh | PointCloud,
    *,
    protocol: str = "room",
    thresholds: tuple[float, ...] | None = None,
    samples: int | None = None,
    seed: int = 0,
    observed: PointCloud | None = None,
    labels: PointLabels | None = None,
) -> Metrics:
    """Compares a mesh with a reference in the same world frame.

    Precision is measured from mesh samples to the whole reference, recall from ``observed`` (or samples of the
    reference) to the mesh. Distances are exact; to a reference of points they are those to the nearest point, so they
    are limited by its spacing.

    Args:
        mesh: mesh to score, with at least one face that has area.
        reference: the true surface, or points on it.
        protocol: name in ``PROTOCOLS``; it sets the constants.
        thresholds: distance limits of the F-score in metres; None takes those of the protocol.
        samples: number of samples per mesh; None takes that of the protocol.
        seed: seed of all sampling.
        observed: points (and normals) of the surface that the scanner could see; without them, recall also counts
            surface that was hidden.
        labels: labels of the observed points.

    Raises:
        InputError: unknown protocol, empty or non-finite mesh or reference, or a value out of range.

    >>> import fastsdf, numpy as np
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> faces = np.array([[0, 1, 2], [0, 2, 3]])
    >>> mesh, truth = fastsdf.TriangleMesh(square + [0, 0, 0.004], faces), fastsdf.TriangleMesh(square, faces)
    >>> metrics = fastsdf.evaluate(mesh, truth, samples=1000)
    >>> f"Chamfer {1e3 * metrics.chamfer_l1:.1f} mm, F at 1 cm {metrics.f_score[0]:.2f}"
    'Chamfer 4.0 mm, F at 1 cm 1.00'
    """
    rules = protocol_named(protocol)
    limits = rules.thresholds_m if thresholds is None else thresholds
    count = rules.samples if samples is None else samples
    _check(mesh, reference, observed, count, limits)
    if labels is not None and observed is None:
        raise InputError("evaluate: labels were given without observed points; give the points they belong to")
    recall_source = reference if observed is None else observed
    precision, recall = both_directions(mesh, reference, recall_source, count, seed)
    return Metrics(
        protocol=rules.name,
        reference_kind=_reference_kind(reference),
        recall_kind="reference" if observed is None else "observed",
        seed=seed,
        **_closeness(precision, recall, limits),
        **_surface(mesh, precision.distance, rules.hallucination_m),
        labelled=labelled_metrics(recall.distance, recall.cosine, labels or PointLabels(), limits),
        precision_distances=precision,
        recall_distances=recall,
    )


def _check(
    mesh: TriangleMesh,
    reference: TriangleMesh | PointCloud,
    observed: PointCloud | None,
    count: int,
    limits: tuple[float, ...],
) -> None:
    if count < 1 or not limits or min(limits) <= 0:
        raise InputError(f"evaluate: samples={count} and thresholds={limits} must be positive")
    for name, item in (("mesh", mesh), ("reference", reference), ("observed", observed)):
        if item is None:
            continue
        points = item.vertices if isinstance(item, TriangleMesh) else item.points
        size = len(item.faces) if isinstance(item, TriangleMesh) else len(points)
        if not size:
            raise InputError(f"evaluate: the {name} has no {'faces' if isinstance(item, TriangleMesh) else 'points'}")
        bad = int((~np.isfinite(points).all(axis=1)).sum())
        if bad:
            raise InputError(f"evaluate: the {name} has {bad} of {len(points)} positions that are not finite")


def _reference_kind(reference: TriangleMesh | PointCloud) -> str:
    if isinstance(reference, TriangleMesh):
        return "mesh"
    return "points" if reference.normals is None else "points with normals"


def _closeness(
    precision_side: DirectedDistances, recall_side: DirectedDistances, limits: tuple[float, ...]
) -> dict[str, Any]:
    """The fields of ``Metrics`` that follow from the two directions and the thresholds alone."""
    to_reference, to_mesh = precision_side.distance, recall_side.distance
    precision = tuple(float((to_reference < limit).mean()) for limit in limits)
    recall = tuple(float((to_mesh < limit).mean()) for limit in limits)
    consistency, signed = _consistency(precision_side.cosine, recall_side.cosine)
    return {
        "samples": len(to_reference),
        "recall_samples": len(to_mesh),
        "accuracy": float(to_reference.mean()),
        "accuracy_median": float(np.median(to_reference)),
        "completeness": float(to_mesh.mean()),
        "completeness_median": float(np.median(to_mesh)),
        "chamfer_l1": float(to_reference.mean() + to_mesh.mean()) / 2.0,
        "chamfer_l2_squared": float((to_reference**2).mean() + (to_mesh**2).mean()),
        "thresholds": limits,
        "precision": precision,
        "recall": recall,
        "f_score": tuple(2 * p * r / (p + r) if p + r > 0 else 0.0 for p, r in zip(precision, recall, strict=True)),
        "normal_consistency": consistency,
        "normal_consistency_signed": signed,
        "hausdorff": float(max(to_reference.max(), to_mesh.max())),
        "hausdorff95": float(max(np.percentile(to_reference, 95), np.percentile(to_mesh, 95))),
    }


def _surface(mesh: TriangleMesh, to_reference: np.ndarray, limit_m: float) -> dict[str, Any]:
    """The fields of ``Metrics`` about the mesh itself and its hallucinated area, from its samples' distances (n,)."""
    area = float(face_normals(mesh)[1].sum())
    hallucinated = float((to_reference > limit_m).mean())
    return {
        "hallucination_m": limit_m,
        "hallucinated_share": hallucinated,
        "hallucinated_area": hallucinated * area,
        "area": area,
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        **topology(mesh)._asdict(),
    }


def _consistency(precision: np.ndarray | None, recall: np.ndarray | None) -> tuple[float | None, float | None]:
    """Mean absolute and mean signed cosine, averaged over both directions; None if one has no known normals."""
    known = [c[np.isfinite(c)] for c in (precision, recall) if c is not None]
    if len(known) < 2 or not all(map(len, known)):
        return None, None
    return float(sum(np.abs(c).mean() for c in known)) / 2.0, float(sum(c.mean() for c in known)) / 2.0
