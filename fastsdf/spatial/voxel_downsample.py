# SPDX-License-Identifier: MIT
"""Even subsets of a point cloud, and points merged where they are closer than need be."""

import numpy as np
import torch
from torch import Tensor


def even_subset(points: Tensor, edge: float) -> Tensor:
    """int64 indices of the first point in each cube of this edge; points: (n, 3) on any device, edge > 0."""
    order, first = _by_cube(points, edge)
    return order[first]


def merge_close(points: Tensor, edge: float) -> tuple[Tensor, Tensor]:
    """Means (m, 3) of the points (n, 3) in each cube of this edge, and int64 index (m,) of the first point of each.

    With an ``edge`` of 0 all points, as they are.
    """
    if edge <= 0:
        return points, torch.arange(len(points), device=points.device)
    order, first = _by_cube(points, edge)
    cube, middle = first.cumsum(0) - 1, points.mean(0)
    total = torch.zeros((int(cube[-1]) + 1, 3), dtype=points.dtype, device=points.device)
    total.index_add_(0, cube, points[order] - middle)
    return total / cube.bincount()[:, None] + middle, order[first]


def _by_cube(points: Tensor, edge: float) -> tuple[Tensor, Tensor]:
    """Order (n,) of the points by cube, and (n,) bool in that order, which is the first of its cube."""
    low = points.amin(0)
    ijk = ((points - low) / torch.full_like(low, edge)).floor().long()
    size = ijk.amax(0) + 1
    key, order = ((ijk[:, 0] * size[1] + ijk[:, 1]) * size[2] + ijk[:, 2]).sort(stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    return order, first


def evenly(count: int, most: int) -> np.ndarray:
    """int64 indices of at most ``most`` of ``count`` things, spread evenly over their order."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.int64)
