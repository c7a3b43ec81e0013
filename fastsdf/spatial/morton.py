# SPDX-License-Identifier: MIT
"""Order of places along a Morton curve, in which what is near in space is mostly near in the list."""

from typing import NamedTuple

import torch
from torch import Tensor

AXIS_BITS = 21
MARGIN = 0.1
SAMPLE = 1 << 16
STRAY_SHARE = 0.01
_SPREADS = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


class MortonGrid(NamedTuple):
    """Cells of a cube of edge ``span`` () from its corner ``lower`` (3,); places beyond it count to its border."""

    lower: Tensor
    span: Tensor

    def codes(self, x: Tensor) -> Tensor:
        """(m,) int64 code of each place (m, 3), in the frame of the grid."""
        cells = ((x - self.lower) / self.span * float(1 << AXIS_BITS)).clamp(0, (1 << AXIS_BITS) - 1).long()
        for shift, mask in _SPREADS:
            cells = (cells | (cells << shift)) & mask
        return cells[:, 0] | (cells[:, 1] << 1) | (cells[:, 2] << 2)


def morton_grid(points: Tensor) -> MortonGrid:
    """A grid over points (n, 3), n >= 1, that one stray point in a hundred cannot stretch."""
    sample = _ranked_sample(points)
    last = len(sample) - 1
    low, high = sample[int(STRAY_SHARE * last)], sample[last - int(STRAY_SHARE * last)]
    span = (high - low).max().clamp_min(torch.finfo(points.dtype).tiny ** 0.5) * (1 + 2 * MARGIN)
    return MortonGrid((low + high - span) / 2, span)


def middle(points: Tensor) -> Tensor:
    """(3,) median of points (n, 3), n >= 1, per coordinate, from a sample."""
    sample = _ranked_sample(points)
    return sample[len(sample) // 2]


def _ranked_sample(points: Tensor) -> Tensor:
    """(s, 3) every so many of the points, each coordinate sorted."""
    return points[:: -(-len(points) // SAMPLE)].sort(0).values
