# SPDX-License-Identifier: MIT
"""A tree of bounding boxes over points in Morton order, built and searched on a CUDA device."""

import torch
from torch import Tensor

from fastsdf.spatial.morton import middle, morton_grid
from fastsdf.spatial.triton.knn import LEAF_SIZE, search


class BoxTreeIndex:
    """Exact nearest neighbours in float32 about the middle of the cloud; see `fastsdf.spatial.knn.PointIndex`.

    Points and queries are shifted to the middle in their own type first, so large coordinates cost nothing in float64.
    Distances are off by about 1e-7 of the distance from the middle, and points equally near up to that come in any
    order.
    """

    def __init__(self, points: Tensor):
        self._points = points
        self._origin = middle(points)
        local = self._local(points)
        self._grid = morton_grid(local)
        self._codes, order = self._grid.codes(local).sort()
        self._records = _records(local[order], order)
        self._boxes = _boxes(self._records[:, :3])

    @property
    def points(self) -> Tensor:
        """See `fastsdf.spatial.knn.PointIndex.points`."""
        return self._points

    def query(self, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """See `fastsdf.spatial.knn.PointIndex.query`."""
        local = self._local(x)
        codes, rows = self._grid.codes(local).sort()
        starts = torch.searchsorted(self._codes, codes)
        size = len(self._points)
        squares, index = search(local[rows], rows, starts, self._records, self._boxes, size, min(count, size))
        return squares.sqrt_().to(x.dtype), index

    def _local(self, x: Tensor) -> Tensor:
        return (x.detach() - self._origin).float()


def _records(points: Tensor, index: Tensor) -> Tensor:
    """(leaves * LEAF_SIZE, 4): coordinates and the bits of the index as int32; infinite where there is no point."""
    leaves = 1 << (-(-len(points) // LEAF_SIZE) - 1).bit_length()
    out = torch.full((leaves * LEAF_SIZE, 4), torch.inf, device=points.device)
    out[: len(points), :3] = points
    out[: len(points), 3] = index.int().view(torch.float32)
    return out


def _boxes(points: Tensor) -> Tensor:
    """(2 * leaves, 8) lowest and highest corner of each node, numbered as in a heap; row 0 and columns 6, 7 are empty.

    A node without points has its lowest corner at +inf, which no query is near to.
    """
    leaves = len(points) // LEAF_SIZE
    out = torch.full((2 * leaves, 8), torch.inf, device=points.device)
    grouped = points.view(leaves, LEAF_SIZE, 3)
    low, high = grouped.amin(1), torch.where(grouped.isinf(), -torch.inf, grouped).amax(1)
    while True:
        out[len(low) : 2 * len(low), :6] = torch.cat([low, high], 1)
        if len(low) == 1:
            return out
        low, high = low.view(-1, 2, 3).amin(1), high.view(-1, 2, 3).amax(1)
