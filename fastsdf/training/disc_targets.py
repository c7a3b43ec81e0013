# SPDX-License-Identifier: MIT
"""Signed distances near the scan, read off the discs of the nearest points: the pool that near samples come from."""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex

NEIGHBOURS = 8
AGREEING_COSINE = 0.5
KNOWN_DEPTH_SPACINGS = 0.25
POOL_PER_POINT = 4
POOL_RANGE = (400_000, 4_000_000)
CPU_POOL = 1_200_000  # at most on a CPU, where a fit draws three million samples
CHUNK = (1 << 16, 1 << 19)  # on a CPU, elsewhere


class NearTargets(NamedTuple):
    """Samples around a scan (m, 3), the interval of their signed distance (m,) and its confidence (m,), 0 to 1."""

    points: Tensor
    lower: Tensor
    upper: Tensor
    confidence: Tensor


def pool_size(points: int, most: int, device: torch.device | str) -> int:
    """Samples in the pool of a scan of so many points on a device: four a point, in bounds, and at most ``most``."""
    most = min(most, chunk_size(device, CPU_POOL, POOL_RANGE[1]), POOL_RANGE[1])
    return min(max(POOL_PER_POINT * points, POOL_RANGE[0]), most)


def disc_distance(
    samples: Tensor, index: PointIndex, normals: Tensor, spacing: Tensor, confidence: Tensor, normal_weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Interval (m,), (m,) of the signed distance to the discs of the nearest points and its confidence (m,).

    The offsets from the tangent planes of those of the 8 nearest points that face the same way as the nearest are
    averaged, weighted by a Gaussian of the distance along the plane in local spacings (implicit moving least squares,
    Kolluri 2005, with the other side of a thin sheet left out). Behind the surface, further than a quarter of the local
    spacing, a thin solid may be at its end and air begin again.

    Args:
        samples: (m, 3).
        index: of the n points.
        normals: (n, 3) unit normals into the air.
        spacing: (n,) local point spacing.
        confidence: (n,) that a normal points into the air, 0 to 1.
        normal_weight: (n,) certainty of the axis of a normal, 0 to 1; more counts as 1. At 0 all that is known is that
            the surface is no further away than the nearest point.
    """
    gap, nearest = index.query(samples, NEIGHBOURS)
    own = normals[nearest]
    offset = dot(samples[:, None] - index.points[nearest], own)
    along = (gap.square() - offset.square()).clamp_min(0.0)
    weight = torch.exp(-0.5 * along / spacing[nearest].square()) + 1e-12
    weight = weight * (dot(own, own[:, :1]) > AGREEING_COSINE)
    total = weight.sum(1)
    distance = (weight * offset).sum(1) / total
    # Clamped before the mean: the heavy normal of one point on a plane must not make its uncertain neighbours certain.
    sure = (weight * normal_weight[nearest].clamp_max(1)).sum(1) / total
    middle, slack = sure * distance, (1 - sure) * gap[:, 0]
    past = -distance - KNOWN_DEPTH_SPACINGS * spacing[nearest[:, 0]]
    upper = torch.where(past > 0, past.maximum(middle + slack), middle + slack)
    return middle - slack, upper, (weight * confidence[nearest]).sum(1) / total


def near_targets(
    index: PointIndex,
    normals: Tensor,
    spacing: Tensor,
    confidence: Tensor,
    normal_weight: Tensor,
    drawn: Tensor,
    shifts: Tensor,
    spread: float,
) -> NearTargets:
    """Samples scattered around drawn points of a scan, with their distances, as float32.

    Args:
        index: of the points.
        normals, spacing, confidence, normal_weight: of the points, in one type and on one device, see `disc_distance`.
        drawn: (m,) int64 indices of the points to scatter around.
        shifts: (m, 3) standard normal draws, one for each of these.
        spread: standard deviation of the shifts in local spacings.
    """
    points, parts = index.points, []
    size = chunk_size(points.device, *CHUNK)
    for chosen, shift in zip(drawn.split(size), shifts.split(size), strict=True):
        samples = points[chosen] + spread * spacing[chosen, None] * shift
        found = (samples, *disc_distance(samples, index, normals, spacing, confidence, normal_weight))
        parts.append([values.float() for values in found])
    return NearTargets(*(torch.cat(p) for p in zip(*parts, strict=True)))
