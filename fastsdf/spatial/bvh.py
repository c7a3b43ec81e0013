# SPDX-License-Identifier: MIT
"""A bounding volume hierarchy over points in Morton order, built and searched on a CUDA device."""

import torch
from torch import Tensor

from fastsdf.spatial.morton import morton_grid, sampled_median
from fastsdf.spatial.triton.knn import LEAF_SIZE, search


class BoxTreeIndex:
    """Exact nearest neighbours in float32 relative to the cloud's median; see `fastsdf.spatial.knn.PointIndex`.

    Points and queries are shifted by the median in their own type first, so float64 input keeps its precision far from
    the origin. Distances have a rounding error of about 1e-7 times the distance from the median; neighbours whose
    distances differ by less than this error come in any order.
    """

    def __init__(self, points: Tensor):
        self._points = points
        self._origin = sampled_median(points)
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
        codes, order = self._grid.codes(local).sort()
        starts = torch.searchsorted(self._codes, codes)
        size = len(self._points)
        squares, index = search(local[order], order, starts, self._records, self._boxes, size, min(count, size))
        return squares.sqrt_().to(x.dtype), index

    def _local(self, x: Tensor) -> Tensor:
        return (x.detach() - self._origin).float()


def _records(points: Tensor, index: Tensor) -> Tensor:
    """(leaves * LEAF_SIZE, 4) float32: x, y, z and the bits of the int32 index; unused rows are infinite."""
    leaves = 1 << (-(-len(points) // LEAF_SIZE) - 1).bit_length()
    out = torch.full((leaves * LEAF_SIZE, 4), torch.inf, device=points.device)
    out[: len(points), :3] = points
    out[: len(points), 3] = index.int().view(torch.float32)
    return out


def _boxes(points: Tensor) -> Tensor:
    """(2 * leaves, 8) lower and upper corner of each tree node in heap order; row 0 and columns 6 and 7 are unused.

    A node without points has its lower corner at +inf, so it is infinitely far from every query.
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
