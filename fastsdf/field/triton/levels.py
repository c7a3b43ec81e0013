# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Finds the position of points on a level of the hash grid, and the table rows of nodes."""

import math
from functools import cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from fastsdf.field.hash_grid import HASH_PRIMES, GridSpec


def _as_int32(value: int) -> int:
    """The int32 with the same bits as an unsigned 32-bit number."""
    return value - 2**32 if value >= 2**31 else value


# Triton kernels read constants of this type only.
_PRIME_Y, _PRIME_Z = (tl.constexpr(_as_int32(prime)) for prime in HASH_PRIMES[1:])


class LevelTable(NamedTuple):
    """Geometry of all levels on the device.

    Attributes:
        frame: (levels, 3) float32 scale, base and rest: the position of a point x in cells is ``x * scale + base +
            rest``, where base is a whole number and 0 <= rest < 1. Because they are separate, the position within a
            cell is computed without the rounding error of a large number.
        layout: (levels, 3) int32 resolution, number of entries and first entry.
        num_dense: number of levels before the first hashed one.
    """

    frame: Tensor
    layout: Tensor
    num_dense: int


@cache
def level_table(grid: GridSpec, half_width: float, center: float, device: torch.device) -> LevelTable:
    """Geometry of a grid over the cube ``center - half_width`` to ``center + half_width``, in units of the points."""
    frame, layout = [], []
    for level in range(grid.num_levels):
        scale = grid.scales[level] / (2 * half_width)
        shift = grid.scales[level] * (0.5 - center / (2 * half_width)) + 0.5
        frame.append((scale, math.floor(shift), shift - math.floor(shift)))
        layout.append((grid.resolutions[level], grid.sizes[level], grid.offsets[level]))
    num_dense = sum(grid.is_dense(level) for level in range(grid.num_levels))
    on_device = torch.tensor(frame, dtype=torch.float32, device=device)
    return LevelTable(on_device, torch.tensor(layout, dtype=torch.int32, device=device), num_dense)


@triton.jit
def faded(fade_ptr, level, count):
    """Weight of a level: the fade for the last of ``count`` levels, 1 for the others."""
    return tl.where(level == count - 1, tl.load(fade_ptr), 1.0)


@triton.jit
def _locate(x_ptr, points, mask, axis: tl.constexpr, scale, base, rest):
    """Cell index (int32) along one axis, and the position within the cell, 0 to 1."""
    x = tl.load(x_ptr + 3 * points + axis, mask=mask, other=0.0)
    cell = tl.floor(x * scale + (base + rest))
    return cell.to(tl.int32), tl.fma(x, scale, (base - cell) + rest)


@triton.jit
def locate(x_ptr, points, mask, frame_ptr, layout_ptr, level):
    """Loads points and the layout of a level, and finds the cells of the points.

    Returns:
        Cell indices i, j, k (int32); positions rx, ry, rz within the cells, 0 to 1; the level's scale, resolution,
        number of entries and first entry, see `LevelTable`.
    """
    frame, layout = frame_ptr + 3 * level, layout_ptr + 3 * level
    scale, base, rest = tl.load(frame), tl.load(frame + 1), tl.load(frame + 2)
    i, rx = _locate(x_ptr, points, mask, 0, scale, base, rest)
    j, ry = _locate(x_ptr, points, mask, 1, scale, base, rest)
    k, rz = _locate(x_ptr, points, mask, 2, scale, base, rest)
    return i, j, k, rx, ry, rz, scale, tl.load(layout), tl.load(layout + 1), tl.load(layout + 2)


@triton.jit
def strides(resolution, DENSE: tl.constexpr):
    """Increments of the row terms of `entry` from one node to the next along y and along z."""
    if DENSE:
        return resolution, resolution * resolution
    else:
        return tl.full((), _PRIME_Y, tl.int32), tl.full((), _PRIME_Z, tl.int32)


@triton.jit
def _row(x, y, z, size, offset, DENSE: tl.constexpr):
    """Table row of a node from its row terms ``i``, ``j * stride_y`` and ``k * stride_z`` (int32, may overflow).

    See `fastsdf.field.backends.torch_reference.node_rows`.
    """
    if DENSE:
        index = (x + y + z) % size
        index = tl.where(index < 0, index + size, index)
    else:
        index = (x ^ y ^ z) & (size - 1)
    return index + offset


@triton.jit
def entry(table_ptr, x, y, z, size, offset, mask, F: tl.constexpr, DENSE: tl.constexpr):
    """Entries (BLOCK, F) of the nodes with these row terms; 0 where the mask is False."""
    row = _row(x, y, z, size, offset, DENSE).to(tl.int64)  # rows times features may exceed 32 bits
    return tl.load(table_ptr + row[:, None] * F + tl.arange(0, F)[None, :], mask=mask[:, None], other=0.0)


@triton.jit
def add(grad_ptr, x, y, z, value, size, offset, mask, F: tl.constexpr, DENSE: tl.constexpr):
    """Adds ``value`` (BLOCK, F) to the gradient of the entries with these row terms."""
    row = _row(x, y, z, size, offset, DENSE).to(tl.int64)
    target = grad_ptr + row[:, None] * F + tl.arange(0, F)[None, :]
    tl.atomic_add(target, value, mask=mask[:, None], sem="relaxed")
