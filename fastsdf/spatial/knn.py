# SPDX-License-Identifier: MIT
"""Nearest neighbours in a point cloud, on the device that holds it."""

from typing import Any, Protocol

import torch
from torch import Tensor

from fastsdf.system.triton_library import has_triton


class PointIndex(Protocol):
    """Exact k-nearest-neighbour queries against fixed points."""

    @property
    def points(self) -> Tensor:
        """(n, 3) the points, on their device."""
        ...

    def query(self, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Distances (m, k), ascending, and indices (m, k) int64 of the k = min(count, n) points nearest to each x.

        Args:
            x: (m, 3) places, on the device of the points; m may be 0.
            count: neighbours wanted, >= 1.
        """
        ...


def point_index(points: Tensor) -> PointIndex:
    """An index over (n, 3) finite points, n >= 1, where they are.

    A k-d tree on the CPU; on a CUDA device a tree of boxes in float32 about the middle of the points
    (`fastsdf.spatial.bvh`), or the k-d tree on the host if triton cannot be loaded. Points far from the origin should
    come as float64.
    """
    if has_triton(points.device):
        from fastsdf.spatial.bvh import BoxTreeIndex

        return BoxTreeIndex(points)
    return TreeIndex(points)


class TreeIndex:
    """A k-d tree of scipy on all cores of the host; see `PointIndex`."""

    def __init__(self, points: Tensor):
        self._points = points
        from scipy.spatial import KDTree  # slow to import, and not needed on a GPU

        self._tree = KDTree(points.detach().cpu().numpy())

    @property
    def points(self) -> Tensor:
        """See `PointIndex.points`."""
        return self._points

    def query(self, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """See `PointIndex.query`."""
        ranks: Any = [*range(1, min(count, len(self._points)) + 1)]
        distance, index = self._tree.query(x.detach().cpu().numpy(), ranks, workers=-1)
        found = self._points.device
        return torch.as_tensor(distance, dtype=x.dtype, device=found), torch.as_tensor(index, device=found).long()
