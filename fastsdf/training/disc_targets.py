# SPDX-License-Identifier: MIT
"""Samples near the scan with their signed distances, which are computed from the discs of the nearest points."""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex

NEIGHBOURS = 8  # points per sample; as good as one, but right on the far side of thin sheets (notebook, settings)
AGREEING_COSINE = 0.5  # 60 degrees; normals that differ by more belong to another face. Chosen
KNOWN_DEPTH_SPACINGS = 0.25  # in spacings; 0.25 scored a little higher than 0.5 (notebook, ablation)
POOL_PER_POINT = 4  # samples; chosen: covers the surroundings of every point
POOL_RANGE = (400_000, 4_000_000)  # samples; enough for a small scan, and 100 MB for a large one
CPU_POOL = 1_200_000  # maximum on a CPU, where a whole fit draws only three million samples
CHUNK = (1 << 16, 1 << 19)  # samples at a time on a CPU, elsewhere; bounds memory


class NearTargets(NamedTuple):
    """Samples around a scan.

    Attributes:
        points: (m, 3).
        lower, upper: (m,) interval that contains the signed distance.
        confidence: (m,) confidence in the interval, 0 to 1.
    """

    points: Tensor
    lower: Tensor
    upper: Tensor
    confidence: Tensor


def pool_size(points: int, limit: int, device: torch.device | str) -> int:
    """Number of samples in the pool: four per point of the scan, within the bounds of the device and ``limit``."""
    limit = min(limit, chunk_size(device, CPU_POOL, POOL_RANGE[1]), POOL_RANGE[1])
    return min(max(POOL_PER_POINT * points, POOL_RANGE[0]), limit)


def disc_distance(
    samples: Tensor, index: PointIndex, normals: Tensor, spacing: Tensor, confidence: Tensor, normal_weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Interval of the signed distance from samples to the discs of the nearest points, and its confidence.

    The distance is a weighted mean of the offsets from the tangent planes of the 8 nearest points, with a Gaussian
    weight of the distance along the plane in local spacings (implicit moving least squares, Kolluri 2005). Points that
    do not face the same way as the nearest one are left out, since they may lie on the other side of a thin sheet. The
    interval widens to the distance of the nearest point as the normal weight goes to 0. Deeper than a quarter of a
    spacing behind the surface, a thin solid may have ended, so there the upper bound allows for air.

    Args:
        samples: (m, 3).
        index: search index over the n points of the scan.
        normals: (n, 3) unit normals into the air.
        spacing: (n,) local point spacing.
        confidence: (n,) confidence that a normal points into the air, 0 to 1.
        normal_weight: (n,) reliability of the normals' axes, 0 to 1; larger values count as 1. At 0 it is only known
            that the surface is no further away than the nearest point.

    Returns:
        Lower bound (m,), upper bound (m,) and confidence (m,).
    """
    gap, nearest = index.query(samples, NEIGHBOURS)
    own = normals[nearest]
    offset = dot(samples[:, None] - index.points[nearest], own)
    along = (gap.square() - offset.square()).clamp_min(0.0)
    weight = torch.exp(-0.5 * along / spacing[nearest].square()) + 1e-12
    weight = weight * (dot(own, own[:, :1]) > AGREEING_COSINE)
    total = weight.sum(1)
    distance = (weight * offset).sum(1) / total
    # Clamp before the mean: a weight above 1 of one point must not make up for unreliable normals of its neighbours.
    reliability = (weight * normal_weight[nearest].clamp_max(1)).sum(1) / total
    middle, slack = reliability * distance, (1 - reliability) * gap[:, 0]
    beyond = -distance - KNOWN_DEPTH_SPACINGS * spacing[nearest[:, 0]]
    upper = torch.where(beyond > 0, beyond.maximum(middle + slack), middle + slack)
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
    """Scatters samples around drawn points of a scan, and computes their signed distances as float32.

    Args:
        index: search index over the points of the scan.
        normals, spacing, confidence, normal_weight: of these points, on one device, see `disc_distance`.
        drawn: (m,) int64 indices of the points to scatter samples around.
        shifts: (m, 3) standard normal random numbers, one vector per sample.
        spread: standard deviation of the shifts in local spacings.
    """
    points, parts = index.points, []
    size = chunk_size(points.device, *CHUNK)
    for chosen, shift in zip(drawn.split(size), shifts.split(size), strict=True):
        samples = points[chosen] + spread * spacing[chosen, None] * shift
        found = (samples, *disc_distance(samples, index, normals, spacing, confidence, normal_weight))
        parts.append([values.float() for values in found])
    return NearTargets(*(torch.cat(p) for p in zip(*parts, strict=True)))
