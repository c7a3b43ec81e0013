# SPDX-License-Identifier: MIT
"""Air that the scanner looked through: near samples on the rays from the points to their sensors."""

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.quantiles import median
from fastsdf.spatial.knn import PointIndex
from fastsdf.training.disc_targets import NearTargets

MARGIN_SPACINGS = 0.25
REACH_SPACINGS = 4.0
HIT_SHARE = 0.5
CHUNK = (1 << 16, 1 << 19)  # on a CPU, elsewhere


def free_targets(index: PointIndex, views: Tensor, spacing: Tensor, drawn: Tensor, places: Tensor) -> NearTargets:
    """Samples in the air along rays: their signed distance is at least 0, and at most that to the nearest point.

    One half lies within 4 local spacings before the ray's own point, the other anywhere on the ray. Only those are kept
    that come within 4 median spacings of some point, since of open air nobody doubts the sign.

    Args:
        index: over the n points of the scan.
        views: (n, 3) from each point to its sensor.
        spacing: (n,) local point spacing.
        drawn: (m,) int64 indices of points.
        places: (m,) uniform draws from [0, 1): where on the ray.
    """
    reach, size = REACH_SPACINGS * median(spacing), chunk_size(drawn.device, *CHUNK)
    parts = []
    for chosen, place in zip(drawn.split(size), places.split(size), strict=True):
        samples = index.points[chosen] + _along(views[chosen], spacing[chosen], place)
        gap = index.query(samples, 1)[0][:, 0]
        near = gap < reach
        samples, gap = samples[near].float(), gap[near].float()
        parts.append((samples, torch.zeros_like(gap), gap, torch.ones_like(gap)))
    return NearTargets(*(torch.cat(p) for p in zip(*parts, strict=True)))


def _along(views: Tensor, spacing: Tensor, place: Tensor) -> Tensor:
    """Vectors (m, 3) from points to places (m,) on their rays, a margin off the points."""
    length = views.norm(dim=1)
    before_hit = place < HIT_SHARE
    share = torch.where(before_hit, place / HIT_SHARE, (place - HIT_SHARE) / (1 - HIT_SHARE))
    margin = (MARGIN_SPACINGS * spacing).minimum(length)
    end = torch.where(before_hit, (margin + REACH_SPACINGS * spacing).minimum(length), length)
    return ((margin + share * (end - margin)) / length.clamp_min(1e-12))[:, None] * views
