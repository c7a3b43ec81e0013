# SPDX-License-Identifier: MIT
"""Samples in the air that the scanner looked through, on the rays from the points to their sensors."""

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.quantiles import median
from fastsdf.spatial.knn import PointIndex
from fastsdf.training.disc_targets import NearTargets

MARGIN_SPACINGS = 0.25  # in spacings; samples stay this far from the ray's own point, which is noisy. Chosen
REACH_SPACINGS = 4.0  # in spacings; width of the zone near the surface. Chosen
HIT_SHARE = 0.5  # of the samples lie in this zone before the ray's own point. Chosen
CHUNK = (1 << 16, 1 << 19)  # samples at a time on a CPU, elsewhere; bounds memory


def free_targets(
    index: PointIndex, views: Tensor, spacing: Tensor, drawn: Tensor, ray_positions: Tensor
) -> NearTargets:
    """Draws samples in the air along rays; their signed distance is between 0 and the distance to the nearest point.

    One half lies within 4 local spacings in front of the ray's own point, the other half anywhere on the ray. Only
    samples within 4 median spacings of some point are kept, because in open air the sign is not in question.

    Args:
        index: search index over the n points of the scan.
        views: (n, 3) vectors from each point to its sensor.
        spacing: (n,) local point spacing.
        drawn: (m,) int64 indices of the points whose rays are used.
        ray_positions: (m,) uniform random numbers from [0, 1) that determine the position along the ray.

    Returns:
        At most m samples with their intervals and a confidence of 1.
    """
    reach, size = REACH_SPACINGS * median(spacing), chunk_size(drawn.device, *CHUNK)
    parts = []
    for chosen, ray_position in zip(drawn.split(size), ray_positions.split(size), strict=True):
        samples = index.points[chosen] + _along(views[chosen], spacing[chosen], ray_position)
        gap = index.query(samples, 1)[0][:, 0]
        near = gap < reach
        samples, gap = samples[near].float(), gap[near].float()
        parts.append((samples, torch.zeros_like(gap), gap, torch.ones_like(gap)))
    return NearTargets(*(torch.cat(p) for p in zip(*parts, strict=True)))


def _along(views: Tensor, spacing: Tensor, ray_position: Tensor) -> Tensor:
    """Vectors (m, 3) from points to samples on their rays, at least a margin away from the points."""
    length = views.norm(dim=1)
    before_hit = ray_position < HIT_SHARE
    share = torch.where(before_hit, ray_position / HIT_SHARE, (ray_position - HIT_SHARE) / (1 - HIT_SHARE))
    margin = (MARGIN_SPACINGS * spacing).minimum(length)
    end = torch.where(before_hit, (margin + REACH_SPACINGS * spacing).minimum(length), length)
    return ((margin + share * (end - margin)) / length.clamp_min(1e-12))[:, None] * views
