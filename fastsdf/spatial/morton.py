# SPDX-License-Identifier: MIT
"""Morton codes of points: sorting points by their code keeps most spatial neighbours close together in memory."""

from typing import NamedTuple

import torch
from torch import Tensor

AXIS_BITS = 21  # bits per axis; the most for which three axes fit into an int64
MARGIN = 0.1  # of the span, added on each side; chosen: room for the points beyond the quantiles, not swept
SAMPLE_SIZE = 1 << 16  # maximum number of sampled points; chosen: quick to sort, not swept
STRAY_SHARE = 0.01  # share of the points ignored at each end of an axis; chosen: bounds the effect of outliers
_SPREADS = (  # shift and mask of each step that puts two zero bits between the bits of a 21-bit number
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


class MortonGrid(NamedTuple):
    """A cube of 2^21 cells per axis, with lower corner ``lower`` (3,) and edge length ``span`` ().

    Points outside the cube are assigned to its border cells.
    """

    lower: Tensor
    span: Tensor

    def codes(self, x: Tensor) -> Tensor:
        """(m,) int64 Morton codes of points (m, 3) given in the frame of the grid."""
        cells = ((x - self.lower) / self.span * float(1 << AXIS_BITS)).clamp(0, (1 << AXIS_BITS) - 1).long()
        for shift, mask in _SPREADS:
            cells = (cells | (cells << shift)) & mask
        return cells[:, 0] | (cells[:, 1] << 1) | (cells[:, 2] << 2)


def morton_grid(points: Tensor) -> MortonGrid:
    """The grid over points (n, 3), n >= 1; 1% of outliers at either end of an axis do not enlarge it."""
    sample = _sorted_sample(points)
    last = len(sample) - 1
    low, high = sample[int(STRAY_SHARE * last)], sample[last - int(STRAY_SHARE * last)]
    span = (high - low).max().clamp_min(torch.finfo(points.dtype).tiny ** 0.5) * (1 + 2 * MARGIN)
    return MortonGrid((low + high - span) / 2, span)


def sampled_median(points: Tensor) -> Tensor:
    """(3,) median per coordinate of a sample of the points (n, 3), n >= 1."""
    sample = _sorted_sample(points)
    return sample[len(sample) // 2]


def _sorted_sample(points: Tensor) -> Tensor:
    """(s, 3) points at a regular stride, at most SAMPLE_SIZE of them, with each coordinate sorted by itself."""
    return points[:: -(-len(points) // SAMPLE_SIZE)].sort(0).values
