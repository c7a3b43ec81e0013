# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Computes features of a hash grid at points, and the gradient of the table, by Triton.

There is one program per block of points and level. Features are stored as (levels * features, n), so that neighbouring
points are neighbours in memory.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from fastsdf.field.triton.levels import LevelTable, add, entry, faded, locate, strides
from fastsdf.field.triton.tiles import gradient_scale

BLOCK = 128  # points per program; chosen
_PADDING = 64  # floats, 256 bytes: rows of features start at whole memory sectors


def encode_forward(x: Tensor, table: Tensor, levels: LevelTable, fade: Tensor, count: int) -> Tensor:
    """Features (count * features, padded n) of the first ``count`` levels at points (n, 3), the last one faded."""
    n, features = len(x), table.shape[1]
    out = torch.empty((count * features, padded(n)), dtype=table.dtype, device=x.device)
    for first, number, dense in groups(levels, count, n):
        geometry = (levels.frame, levels.layout, fade)
        _forward[(triton.cdiv(n, BLOCK), number)](
            x, table, *geometry, out, n, padded(n), first, count, features, dense, BLOCK
        )
    return out


def encode_backward(
    x: Tensor, grad: Tensor, largest: Tensor, table_grad: Tensor, levels: LevelTable, fade: Tensor
) -> None:
    """Adds the gradient of the table to ``table_grad``, from the gradient ``grad`` of `encode_forward`'s result.

    ``largest`` determines the scale of ``grad``, see `fastsdf.field.triton.network.network_backward`.
    """
    n, features = len(x), table_grad.shape[1]
    count = len(grad) // features
    for first, number, dense in groups(levels, count, n):
        geometry = (levels.frame, levels.layout, fade)
        _backward[(triton.cdiv(n, BLOCK), number)](
            x, grad, largest, *geometry, table_grad, n, padded(n), first, count, features, dense, BLOCK
        )


def padded(points: int) -> int:
    """Number of columns for features of this many points, rounded up so that rows start at whole memory sectors."""
    return -(-points // _PADDING) * _PADDING


def groups(levels: LevelTable, count: int, points: int) -> list[tuple[int, int, bool]]:
    """Kernel launches for the first ``count`` levels, dense ones first: (first level, number of levels, is dense)."""
    dense = min(levels.num_dense, count)
    both = [(0, dense, True), (dense, count - dense, False)]
    return [g for g in both if g[1] and points]


@triton.jit
def interpolate(table_ptr, i, j, k, rx, ry, rz, resolution, size, offset, mask, F: tl.constexpr, DENSE: tl.constexpr):
    """Features (BLOCK, F) by trilinear interpolation at positions rx, ry, rz, 0 to 1, within the cells i, j, k."""
    step_y, step_z = strides(resolution, DENSE)
    y, z = j * step_y, k * step_z
    total = tl.zeros((i.shape[0], F), tl.float32)
    for corner in tl.static_range(8):
        a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (rx if a else 1 - rx) * (ry if b else 1 - ry) * (rz if c else 1 - rz)
        node = entry(table_ptr, i + a, y + b * step_y, z + c * step_z, size, offset, mask, F, DENSE)
        total += weight[:, None] * node
    return total


@triton.jit
def spread(grad_ptr, i, j, k, rx, ry, rz, value, resolution, size, offset, mask, F: tl.constexpr, DENSE: tl.constexpr):
    """Adds the gradient of the entries at the cells' corners, from the gradient ``value`` of `interpolate`'s result."""
    step_y, step_z = strides(resolution, DENSE)
    y, z = j * step_y, k * step_z
    for corner in tl.static_range(8):
        a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (rx if a else 1 - rx) * (ry if b else 1 - ry) * (rz if c else 1 - rz)
        share = weight[:, None] * value
        add(grad_ptr, i + a, y + b * step_y, z + c * step_z, share, size, offset, mask, F, DENSE)


@triton.jit(do_not_specialize=("n", "first", "count"))
def _forward(
    x_ptr,
    table_ptr,
    frame_ptr,
    layout_ptr,
    fade_ptr,
    out_ptr,
    n,
    pitch,
    first,
    count,
    F: tl.constexpr,
    DENSE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """See `encode_forward`."""
    level = tl.program_id(1) + first
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    i, j, k, rx, ry, rz, _, resolution, size, offset = locate(x_ptr, points, mask, frame_ptr, layout_ptr, level)
    value = interpolate(table_ptr, i, j, k, rx, ry, rz, resolution, size, offset, mask, F, DENSE)
    value *= faded(fade_ptr, level, count)
    feature = level * F + tl.arange(0, F)
    tl.store(out_ptr + feature[None, :].to(tl.int64) * pitch + points[:, None], value, mask=mask[:, None])


@triton.jit(do_not_specialize=("n", "first", "count"))
def _backward(
    x_ptr,
    grad_ptr,
    largest_ptr,
    frame_ptr,
    layout_ptr,
    fade_ptr,
    out_ptr,
    n,
    pitch,
    first,
    count,
    F: tl.constexpr,
    DENSE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """See `encode_backward`."""
    level = tl.program_id(1) + first
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    i, j, k, rx, ry, rz, _, resolution, size, offset = locate(x_ptr, points, mask, frame_ptr, layout_ptr, level)
    feature = level * F + tl.arange(0, F)
    grad = tl.load(grad_ptr + feature[None, :].to(tl.int64) * pitch + points[:, None], mask=mask[:, None], other=0.0)
    grad *= faded(fade_ptr, level, count) / gradient_scale(largest_ptr)
    spread(out_ptr, i, j, k, rx, ry, rz, grad, resolution, size, offset, mask, F, DENSE)
