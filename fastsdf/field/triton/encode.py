# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Features of a hash grid at points, and their gradient to the table: one program per block of points and level.

Features are stored feature by feature, (levels * features, n), so that neighbouring points are neighbours in memory.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from fastsdf.field.triton.levels import LevelTable, add, entry, faded, locate, strides
from fastsdf.field.triton.tiles import gradient_scale

BLOCK = 128
_PADDING = 64


def encode_forward(x: Tensor, table: Tensor, levels: LevelTable, fade: Tensor, count: int) -> Tensor:
    """Features (count * features, padded n) of the first ``count`` levels at points (n, 3), the last times ``fade``."""
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
    """Adds the gradient of `encode_forward`'s output to that of the table, in place.

    ``largest`` tells the scale of ``grad``, see `fastsdf.field.triton.network.network_backward`.
    """
    n, features = len(x), table_grad.shape[1]
    count = len(grad) // features
    for first, number, dense in groups(levels, count, n):
        geometry = (levels.frame, levels.layout, fade)
        _backward[(triton.cdiv(n, BLOCK), number)](
            x, grad, largest, *geometry, table_grad, n, padded(n), first, count, features, dense, BLOCK
        )


def padded(points: int) -> int:
    """Columns that features of so many points take: rows start at whole memory sectors."""
    return -(-points // _PADDING) * _PADDING


def groups(levels: LevelTable, count: int, points: int) -> list[tuple[int, int, bool]]:
    """(first level, number of levels, dense?) of the launches that cover the first ``count`` levels."""
    dense = min(levels.num_dense, count)
    both = [(0, dense, True), (dense, count - dense, False)]
    return [g for g in both if g[1] and points]


@triton.jit
def interpolate(table_ptr, i, j, k, rx, ry, rz, resolution, size, offset, mask, F: tl.constexpr, DENSE: tl.constexpr):
    """Trilinear interpolation (BLOCK, F) at positions rx, ry, rz in the cells i, j, k."""
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
    """Adds the gradient ``value`` (BLOCK, F) of `interpolate`'s result to the entries of the cell's corners."""
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
    level = tl.program_id(1) + first
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    i, j, k, rx, ry, rz, _, resolution, size, offset = locate(x_ptr, points, mask, frame_ptr, layout_ptr, level)
    feature = level * F + tl.arange(0, F)
    grad = tl.load(grad_ptr + feature[None, :].to(tl.int64) * pitch + points[:, None], mask=mask[:, None], other=0.0)
    grad *= faded(fade_ptr, level, count) / gradient_scale(largest_ptr)
    spread(out_ptr, i, j, k, rx, ry, rz, grad, resolution, size, offset, mask, F, DENSE)
