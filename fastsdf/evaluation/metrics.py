# SPDX-License-Identifier: MIT
"""How close a mesh is to a reference surface: distances, F-scores, normals, invented area, topology."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from fastsdf.errors import InputError
from fastsdf.evaluation.marked import MarkedMetrics, Marks, marked_metrics
from fastsdf.evaluation.protocols import protocol_named
from fastsdf.evaluation.sides import Side, both_sides
from fastsdf.evaluation.topology import face_normals, topology
from fastsdf.geometry import PointCloud, TriangleMesh


@dataclass(frozen=True)
class Metrics:
    """Results of ``evaluate``; lengths in metres, shares 0 to 1, None where the reference cannot tell.

    Attributes:
        protocol: name of the protocol.
        reference_kind: "mesh", "points" or "points with normals" (distances to the nearest point, not to a surface).
        recall_kind: "reference", or "observed" if the recall side was given.
        samples: area-uniform samples on the mesh.
        recall_samples: points of the recall side.
        seed: seed of all sampling.
        accuracy: mean distance of mesh samples to the reference; ``accuracy_median`` likewise.
        completeness: mean distance of the recall side to the mesh; ``completeness_median`` likewise.
        chamfer_l1: (accuracy + completeness) / 2.
        chamfer_l2_squared: sum of both mean squared distances, m^2.
        thresholds: distances of ``precision``, ``recall`` and ``f_score``, in the same order.
        normal_consistency: mean absolute cosine between normals, averaged over both directions.
        normal_consistency_signed: the same without the absolute value: 1 as the reference, -1 inside out.
        hausdorff: the largest distance of either direction; ``hausdorff95`` the larger 95th percentile.
        hallucination_m: distance beyond which mesh area counts as hallucinated.
        hallucinated_share: its share of the mesh's area; ``hallucinated_area`` the same in m^2.
        marked: figures on thin and planar parts of the recall side, if it was marked.
        precise, recalled: what the figures were made of: mesh samples -> reference, and recall side -> mesh.
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
    marked: MarkedMetrics
    precise: Side = field(repr=False, compare=False)
    recalled: Side = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON: the figures; tuples become lists, the marked ones stand beside the others."""
        left_out = {"marked", "precise", "recalled"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        values |= self.marked._asdict()
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
    marks: Marks | None = None,
) -> Metrics:
    """Compares a mesh with a reference in the same world frame.

    Precision side: mesh samples -> the whole reference. Recall side: ``observed``, else samples of the reference -> the
    mesh. Distances are exact, except to a reference of points, where they can't fall below its spacing.

    Args:
        mesh: at least one face with area.
        reference: the true surface, or points on it.
        protocol: a name of ``PROTOCOLS``; it gives the constants.
        thresholds: distances for F in metres instead of the protocol's.
        samples: samples per side instead of the protocol's.
        seed: seed of all sampling.
        observed: points (and normals) of what the scan could see; without it recall also measures what was hidden.
        marks: which points of ``observed`` lie on thin solids or on planar surface.

    Raises:
        InputError: unknown protocol, empty or non-finite mesh or reference, or a value out of range.
    """
    rules = protocol_named(protocol)
    limits = rules.thresholds_m if thresholds is None else thresholds
    count = rules.samples if samples is None else samples
    _check(mesh, reference, observed, count, limits)
    if marks is not None and observed is None:
        raise InputError("evaluate: marks need the observed points that they belong to")
    precise, recalled = both_sides(mesh, reference, reference if observed is None else observed, count, seed)
    return Metrics(
        protocol=rules.name,
        reference_kind=_reference_kind(reference),
        recall_kind="reference" if observed is None else "observed",
        seed=seed,
        **_closeness(precise, recalled, limits),
        **_surface(mesh, precise.distance, rules.hallucination_m),
        marked=marked_metrics(recalled.distance, recalled.cosine, marks or Marks(), limits),
        precise=precise,
        recalled=recalled,
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


def _closeness(precise: Side, recalled: Side, limits: tuple[float, ...]) -> dict[str, Any]:
    """Every field of ``Metrics`` that follows from the two directions and the thresholds alone."""
    there, back = precise.distance, recalled.distance
    precision = tuple(float((there < t).mean()) for t in limits)
    recall = tuple(float((back < t).mean()) for t in limits)
    consistency, signed = _consistency(precise.cosine, recalled.cosine)
    return {
        "samples": len(there),
        "recall_samples": len(back),
        "accuracy": float(there.mean()),
        "accuracy_median": float(np.median(there)),
        "completeness": float(back.mean()),
        "completeness_median": float(np.median(back)),
        "chamfer_l1": float(there.mean() + back.mean()) / 2.0,
        "chamfer_l2_squared": float((there**2).mean() + (back**2).mean()),
        "thresholds": limits,
        "precision": precision,
        "recall": recall,
        "f_score": tuple(2 * p * r / (p + r) if p + r > 0 else 0.0 for p, r in zip(precision, recall, strict=True)),
        "normal_consistency": consistency,
        "normal_consistency_signed": signed,
        "hausdorff": float(max(there.max(), back.max())),
        "hausdorff95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
    }


def _surface(mesh: TriangleMesh, there: np.ndarray, limit_m: float) -> dict[str, Any]:
    """Every field of ``Metrics`` about the mesh itself and what it invents; ``there`` are its samples' distances."""
    area = float(face_normals(mesh)[1].sum())
    invented = float((there > limit_m).mean())
    return {
        "hallucination_m": limit_m,
        "hallucinated_share": invented,
        "hallucinated_area": invented * area,
        "area": area,
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        **topology(mesh)._asdict(),
    }


def _consistency(precision: np.ndarray | None, recall: np.ndarray | None) -> tuple[float | None, float | None]:
    """Mean absolute and mean signed cosine of known normals, averaged over both directions; None unless both have any."""
    known = [c[np.isfinite(c)] for c in (precision, recall) if c is not None]
    if len(known) < 2 or not all(map(len, known)):
        return None, None
    return float(sum(np.abs(c).mean() for c in known)) / 2.0, float(sum(c.mean() for c in known)) / 2.0
