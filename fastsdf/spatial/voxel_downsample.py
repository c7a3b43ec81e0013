# SPDX-License-Identifier: MIT
"""Thinning of point clouds: one point per cube, the mean of each cube, or evenly spaced indices."""

import numpy as np
import torch
from torch import Tensor


def even_subset(points: Tensor, edge: float) -> Tensor:
    """Choose one point per cube of a regular grid.

    Args:
        points: (n, 3) on any device.
        edge: edge length of the cubes, above 0.

    Returns:
        (m,) int64 index of the first point in each cube that holds any.
    """
    order, first = _sorted_by_cube(points, edge)
    return order[first]


def merge_close(points: Tensor, edge: float) -> tuple[Tensor, Tensor]:
    """Replace the points of each cube of a regular grid by their mean.

    Args:
        points: (n, 3) on any device.
        edge: edge length of the cubes; 0 returns all points unchanged.

    Returns:
        Means (m, 3), and (m,) int64 index of the first point in each cube.
    """
    if edge <= 0:
        return points, torch.arange(len(points), device=points.device)
    order, first = _sorted_by_cube(points, edge)
    cube, mean = first.cumsum(0) - 1, points.mean(0)
    total = torch.zeros((int(cube[-1]) + 1, 3), dtype=points.dtype, device=points.device)
    total.index_add_(0, cube, points[order] - mean)
    return total / cube.bincount()[:, None] + mean, order[first]


def _sorted_by_cube(points: Tensor, edge: float) -> tuple[Tensor, Tensor]:
    """Indices (n,) that sort the points by cube, and (n,) bool in sorted order: True for the first of each cube."""
    low = points.amin(0)
    ijk = ((points - low) / torch.full_like(low, edge)).floor().long()
    size = ijk.amax(0) + 1
    key, order = ((ijk[:, 0] * size[1] + ijk[:, 1]) * size[2] + ijk[:, 2]).sort(stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    return order, first


def even_indices(count: int, max_count: int) -> np.ndarray:
    """Evenly spaced int64 indices into ``count`` items, at most ``max_count`` of them."""
    return np.arange(count) if count <= max_count else np.linspace(0, count - 1, max_count).astype(np.int64)
