# SPDX-License-Identifier: MIT
"""Nearest-neighbour search in a point cloud, on the device that holds the points."""

from typing import Any, Protocol

import torch
from torch import Tensor

from fastsdf.system.triton_library import has_triton


class PointIndex(Protocol):
    """Exact k-nearest-neighbour queries against fixed points."""

    @property
    def points(self) -> Tensor:
        """(n, 3) the indexed points, on their device."""
        ...

    def query(self, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Find the nearest points of each query point.

        Args:
            x: (m, 3) query points, on the device of the indexed points; m may be 0.
            count: number of neighbours per query point, >= 1.

        Returns:
            Distances (m, k), ascending, and indices (m, k) int64 of the k = min(count, n) nearest points.
        """
        ...


def point_index(points: Tensor) -> PointIndex:
    """Build a nearest-neighbour index on the device of the points.

    This is a k-d tree on the CPU and a bounding volume hierarchy (`fastsdf.spatial.bvh`) on a CUDA device. If triton
    cannot be loaded, CUDA points are searched by the k-d tree on the host.

    Args:
        points: (n, 3) finite, n >= 1; float64 if they lie far from the origin.
    """
    if has_triton(points.device):
        from fastsdf.spatial.bvh import BoxTreeIndex

        return BoxTreeIndex(points)
    return TreeIndex(points)


class TreeIndex:
    """A scipy k-d tree, queried on all cores of the host; see `PointIndex`."""

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
        device = self._points.device
        return torch.as_tensor(distance, dtype=x.dtype, device=device), torch.as_tensor(index, device=device).long()
