# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Hash-grid encoding as Triton kernels: one program per block of points and level, float32.

The only file that imports triton. Gradients are added with atomics, so two runs differ in the last bits. Consecutive
points that are close together (the taps of a stencil) are handled by one program and find their entries in its cache.
"""

from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from fastsdf.backends.base import BackendInfo, refuse_point_gradient
from fastsdf.grid import HASH_PRIMES, GridSpec

_PRIME_Y, _PRIME_Z = tl.constexpr(HASH_PRIMES[1]), tl.constexpr(HASH_PRIMES[2])
_BLOCK = 256


class TritonBackend:
    """CUDA backend (and, under TRITON_INTERPRET=1, a slow CPU one for tests); first derivatives of the table only."""

    info = BackendInfo("triton", ("cuda",), (torch.float32,), max_autograd_order=1)

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.backends.base.Backend.encode`.

        Raises:
            UnsupportedDerivative: if a derivative with respect to ``x`` is wanted.
        """
        refuse_point_gradient(x, self.info)
        return _Encode.apply(x.contiguous(), table, _layout(grid, x.device), num_levels)  # pyright: ignore[reportReturnType]


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, layout: tuple[Tensor, Tensor], num_levels: int) -> Tensor:
        ctx.layout, ctx.num_levels, ctx.shape = layout, num_levels, table.shape
        ctx.save_for_backward(x)
        features = table.shape[1]
        out = torch.empty((len(x), num_levels * features), dtype=table.dtype, device=x.device)
        if len(x):
            launch = (triton.cdiv(len(x), _BLOCK), num_levels)
            _encode_kernel[launch](x, table, *layout, out, len(x), num_levels * features, features, _BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None, None]:
        (x,) = ctx.saved_tensors
        grad = grads[0].contiguous()
        features = ctx.shape[1]
        gradient = torch.zeros(ctx.shape, dtype=grad.dtype, device=x.device)
        if len(x):
            launch = (triton.cdiv(len(x), _BLOCK), ctx.num_levels)
            width = ctx.num_levels * features
            _encode_backward_kernel[launch](x, grad, *ctx.layout, gradient, len(x), width, features, _BLOCK)
        return None, gradient, None, None


@cache
def _layout(grid: GridSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """(levels,) float32 scales and (levels, 4) int32 resolution, entries, first entry and dense flag, on the device."""
    levels = range(grid.num_levels)
    rows = [(grid.resolutions[i], grid.sizes[i], grid.offsets[i], int(grid.is_dense(i))) for i in levels]
    scales = torch.tensor(grid.scales, dtype=torch.float32, device=device)
    return scales, torch.tensor(rows, dtype=torch.int32, device=device)


@triton.jit
def _cell(x_ptr, scale, points, mask):
    """Lower corner (int32) and position in the cell of each point, per axis."""
    px = tl.load(x_ptr + 3 * points, mask=mask, other=0.0) * scale + 0.5
    py = tl.load(x_ptr + 3 * points + 1, mask=mask, other=0.0) * scale + 0.5
    pz = tl.load(x_ptr + 3 * points + 2, mask=mask, other=0.0) * scale + 0.5
    fx, fy, fz = tl.floor(px), tl.floor(py), tl.floor(pz)
    return fx.to(tl.int32), fy.to(tl.int32), fz.to(tl.int32), px - fx, py - fy, pz - fz


@triton.jit
def _row(i, j, k, resolution, size, offset, dense):
    """Table row of a node; see `fastsdf.backends.torch_reference.node_rows`."""
    if dense == 1:
        index = i + resolution * (j + resolution * k)
        index = index % size
        index = tl.where(index < 0, index + size, index)
    else:
        hashed = i.to(tl.uint32) ^ (j.to(tl.uint32) * _PRIME_Y) ^ (k.to(tl.uint32) * _PRIME_Z)
        index = (hashed & (size - 1).to(tl.uint32)).to(tl.int32)
    return index + offset


@triton.jit
def _encode_kernel(x_ptr, table_ptr, scales_ptr, layout_ptr, out_ptr, n, width, F: tl.constexpr, BLOCK: tl.constexpr):
    level = tl.program_id(1)
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    resolution, size = tl.load(layout_ptr + 4 * level), tl.load(layout_ptr + 4 * level + 1)
    offset, dense = tl.load(layout_ptr + 4 * level + 2), tl.load(layout_ptr + 4 * level + 3)
    i, j, k, rx, ry, rz = _cell(x_ptr, tl.load(scales_ptr + level), points, mask)
    feature = tl.arange(0, F)
    total = tl.zeros((BLOCK, F), tl.float32)
    for corner in tl.static_range(8):
        a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (rx if a else 1 - rx) * (ry if b else 1 - ry) * (rz if c else 1 - rz)
        row = _row(i + a, j + b, k + c, resolution, size, offset, dense)
        entry = tl.load(table_ptr + row[:, None] * F + feature[None, :], mask=mask[:, None], other=0.0)
        total += weight[:, None] * entry
    out = out_ptr + points[:, None] * width + level * F + feature[None, :]
    tl.store(out, total, mask=mask[:, None])


@triton.jit
def _encode_backward_kernel(
    x_ptr, grad_ptr, scales_ptr, layout_ptr, out_ptr, n, width, F: tl.constexpr, BLOCK: tl.constexpr
):
    level = tl.program_id(1)
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    resolution, size = tl.load(layout_ptr + 4 * level), tl.load(layout_ptr + 4 * level + 1)
    offset, dense = tl.load(layout_ptr + 4 * level + 2), tl.load(layout_ptr + 4 * level + 3)
    i, j, k, rx, ry, rz = _cell(x_ptr, tl.load(scales_ptr + level), points, mask)
    feature = tl.arange(0, F)
    grad = tl.load(grad_ptr + points[:, None] * width + level * F + feature[None, :], mask=mask[:, None], other=0.0)
    for corner in tl.static_range(8):
        a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (rx if a else 1 - rx) * (ry if b else 1 - ry) * (rz if c else 1 - rz)
        row = _row(i + a, j + b, k + c, resolution, size, offset, dense)
        tl.atomic_add(
            out_ptr + row[:, None] * F + feature[None, :], weight[:, None] * grad, mask=mask[:, None], sem="relaxed"
        )
