# SPDX-License-Identifier: MIT
"""Metrics on labelled points of the recall direction: recall of thin solids, and flatness of planar surface."""

from typing import NamedTuple

import numpy as np

from fastsdf.errors import InputError

FLAT_REACH_M = 0.01  # m; planar points farther from the mesh count as missing; the smallest threshold of F


class PointLabels(NamedTuple):
    """Labels of the n observed points.

    Attributes:
        thin: (n,) bool, True on solids thinner than 6 cm; None if unknown.
        planar: (n,) bool, True where the surface around the point is one plane; None if unknown.
    """

    thin: np.ndarray | None = None
    planar: np.ndarray | None = None


class LabelledMetrics(NamedTuple):
    """Metrics on labelled points; None if no point is labelled or, for flatness, none is near the mesh.

    Attributes:
        thin_recall: share of the thin points within each threshold of the mesh.
        flat_share: share of the planar points within 1 cm of the mesh; the next two are measured at these points.
        flat_angle_deg: median angle between the axes of the mesh's normal and the true one, degrees.
        flat_rms: root mean square distance to the mesh, metres.
    """

    thin_recall: tuple[float, ...] | None = None
    flat_share: float | None = None
    flat_angle_deg: float | None = None
    flat_rms: float | None = None


def labelled_metrics(
    distance: np.ndarray, cosine: np.ndarray | None, labels: PointLabels, limits: tuple[float, ...]
) -> LabelledMetrics:
    """Computes the metrics on labelled points.

    Args:
        distance: (n,) distances of the observed points to the mesh, metres.
        cosine: (n,) cosines between the normals, NaN where unknown; or None.
        labels: labels of the points.
        limits: thresholds of recall, metres.

    Raises:
        InputError: a label does not have one value per point.
    """
    for name, values in labels._asdict().items():
        if values is not None and values.shape != distance.shape:
            raise InputError(
                f"evaluate: {len(values)} labels '{name}' for {len(distance)} observed points; give one per point"
            )
    thin = None if labels.thin is None or not labels.thin.any() else distance[labels.thin]
    recall = None if thin is None else tuple(float((thin < limit).mean()) for limit in limits)
    if labels.planar is None or not labels.planar.any():
        return LabelledMetrics(recall)
    reached = labels.planar & (distance < FLAT_REACH_M)
    share = float(reached.sum() / labels.planar.sum())
    if not reached.any():
        return LabelledMetrics(recall, share)
    angle = None if cosine is None else _median_degrees(cosine[reached])
    return LabelledMetrics(recall, share, angle, float(np.sqrt((distance[reached] ** 2).mean())))


def _median_degrees(cosine: np.ndarray) -> float | None:
    """Median angle in degrees over the known cosines; None if all are unknown."""
    known = cosine[np.isfinite(cosine)]
    return float(np.median(np.degrees(np.arccos(np.clip(np.abs(known), 0.0, 1.0))))) if len(known) else None
