# SPDX-License-Identifier: MIT
"""Signed distances near the scan, read off the discs of the nearest points: the pool that near samples come from."""

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree

NEIGHBOURS = 8
AGREEING_COSINE = 0.5
POOL_PER_POINT = 4
POOL_RANGE = (400_000, 4_000_000)
CHUNK = 1 << 18


class NearTargets(NamedTuple):
    """Samples around a scan: ``points`` (m, 3), signed ``distance`` (m,) and ``confidence`` (m,) of it, 0 to 1."""

    points: np.ndarray
    distance: np.ndarray
    confidence: np.ndarray


def disc_distance(
    samples: np.ndarray,
    tree: KDTree,
    normals: np.ndarray,
    spacing: np.ndarray,
    confidence: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (m,) to the discs of the nearest points and its confidence (m,).

    The offsets from the tangent planes of those of the 8 nearest points that face the same way as the nearest are
    averaged, weighted by a Gaussian of the distance along the plane in local spacings (implicit moving least squares,
    Kolluri 2005, with the other side of a thin sheet left out).

    Args:
        samples: (m, 3).
        tree: of the n points.
        normals: (n, 3) unit normals into the air.
        spacing: (n,) local point spacing.
        confidence: (n,) that a normal points into the air, 0 to 1.
    """
    ranks: Any = [*range(1, min(NEIGHBOURS, tree.n) + 1)]
    gap, index = tree.query(samples, ranks, workers=-1)
    own = normals[index]
    offset = np.einsum("mkc,mkc->mk", samples[:, None] - tree.data[index], own)
    along = np.maximum(gap**2 - offset**2, 0.0)
    weight = np.exp(-0.5 * along / spacing[index] ** 2) + 1e-12
    weight *= np.einsum("mkc,mc->mk", own, own[:, 0]) > AGREEING_COSINE
    total = weight.sum(1)
    return (weight * offset).sum(1) / total, (weight * confidence[index]).sum(1) / total


def near_targets(
    points: np.ndarray,
    normals: np.ndarray,
    spacing: np.ndarray,
    confidence: np.ndarray,
    drawn: np.ndarray,
    spread: float,
    rng: np.random.Generator,
) -> NearTargets:
    """Samples scattered around drawn points of a scan, with their distances.

    Args:
        points, normals, spacing, confidence: the scan, see `disc_distance`.
        drawn: (m,) indices of the points to scatter around.
        spread: standard deviation in local spacings.
        rng: draws the shifts.
    """
    tree = KDTree(points)
    parts = []
    for i in range(0, len(drawn), CHUNK):
        chosen = drawn[i : i + CHUNK]
        samples = points[chosen] + spread * spacing[chosen, None] * rng.standard_normal((len(chosen), 3))
        parts.append((samples, *disc_distance(samples, tree, normals, spacing, confidence)))
    return NearTargets(*(np.concatenate(p).astype(np.float32) for p in zip(*parts, strict=True)))
