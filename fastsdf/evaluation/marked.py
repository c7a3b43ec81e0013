# SPDX-License-Identifier: MIT
"""Figures on marked parts of the recall side: are thin solids there, and do walls look flat?"""

from typing import NamedTuple

import numpy as np

from fastsdf.errors import InputError

FLAT_REACH_M = 0.01


class Marks(NamedTuple):
    """What is known of the n points of the recall side.

    Attributes:
        thin: (n,) bool, True on solids thinner than 6 cm; or None.
        planar: (n,) bool, True on surface that is one plane all around; or None.
    """

    thin: np.ndarray | None = None
    planar: np.ndarray | None = None


class MarkedMetrics(NamedTuple):
    """Figures on marked points, None where no point is marked (or, for flatness, none is reached).

    Attributes:
        thin_recall: share of the thin points that the mesh reaches, per threshold of F.
        flat_share: share of the planar points within 1 cm of the mesh; the next two are taken there.
        flat_angle_deg: median angle between the mesh's normal and the true one, whatever its side, degrees.
        flat_rms: root mean square distance to the mesh, metres.
    """

    thin_recall: tuple[float, ...] | None = None
    flat_share: float | None = None
    flat_angle_deg: float | None = None
    flat_rms: float | None = None


def marked_metrics(
    distance: np.ndarray, cosine: np.ndarray | None, marks: Marks, limits: tuple[float, ...]
) -> MarkedMetrics:
    """The figures from distances (n,) of the recall side to the mesh, cosines (n,) of the normals, and thresholds.

    Raises:
        InputError: a mark does not have one value per point.
    """
    for name, values in marks._asdict().items():
        if values is not None and values.shape != distance.shape:
            raise InputError(f"evaluate: {len(values)} marks '{name}' for {len(distance)} observed points")
    thin = None if marks.thin is None or not marks.thin.any() else distance[marks.thin]
    recall = None if thin is None else tuple(float((thin < limit).mean()) for limit in limits)
    if marks.planar is None or not marks.planar.any():
        return MarkedMetrics(recall)
    reached = marks.planar & (distance < FLAT_REACH_M)
    share = float(reached.sum() / marks.planar.sum())
    if not reached.any():
        return MarkedMetrics(recall, share)
    angle = None if cosine is None else _median_degrees(cosine[reached])
    return MarkedMetrics(recall, share, angle, float(np.sqrt((distance[reached] ** 2).mean())))


def _median_degrees(cosine: np.ndarray) -> float | None:
    """Median angle of the cosines that are known; None if none is."""
    known = cosine[np.isfinite(cosine)]
    return float(np.median(np.degrees(np.arccos(np.clip(np.abs(known), 0.0, 1.0))))) if len(known) else None
