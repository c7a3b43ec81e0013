# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Computes the hash-grid encoding by numba on the CPU, in float32 or float64, about ten times as fast as torch.

The forward pass is parallel over points, the backward pass over levels. Each level has its own part of the table, so no
two threads write to the same entry, and the result does not depend on the number of threads.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor
from torch.nn import functional

from fastsdf.field.backends.base import BackendInfo, refuse_point_gradient
from fastsdf.field.backends.numba_softplus import Softplus
from fastsdf.field.hash_grid import HASH_PRIMES, GridSpec

# Compiled functions take constants, not tuples of the module.
_PRIME_Y, _PRIME_Z = HASH_PRIMES[1], HASH_PRIMES[2]
_BLOCK = 256  # points per task; chosen: consecutive points share cells, and there are enough tasks for all cores
_NO_CELL = -(2**62)  # a cell index that no point has


class NumbaBackend:
    """CPU backend; first derivatives with respect to the table only."""

    info = BackendInfo("numba", ("cpu",), (torch.float32, torch.float64), max_autograd_order=1)

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`.

        Raises:
            UnsupportedDerivative: if ``x`` requires a gradient.
        """
        refuse_point_gradient(x, self.info)
        return _Encode.apply(x, table, grid, num_levels)  # pyright: ignore[reportReturnType]

    def softplus(self, x: Tensor, beta: float) -> Tensor:
        """See `fastsdf.field.backends.base.ActivationBackend.softplus`."""
        if x.dtype != torch.float32:
            return functional.softplus(x, beta)
        return Softplus.apply(x, beta)  # pyright: ignore[reportReturnType]


class _Encode(torch.autograd.Function):
    """The encoding on arrays that share memory with the tensors; differentiable with respect to the table."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`."""
        ctx.layout = _layout(grid, num_levels)
        ctx.shape = table.shape
        ctx.save_for_backward(x)
        out = torch.empty((len(x), num_levels * grid.features_per_level), dtype=table.dtype)
        _encode(x.detach().contiguous().numpy(), table.detach().numpy(), *ctx.layout, out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None, None]:
        """The gradient with respect to the table."""
        (x,) = ctx.saved_tensors
        gradient = torch.zeros(ctx.shape, dtype=grads[0].dtype)
        _encode_backward(x.detach().contiguous().numpy(), grads[0].contiguous().numpy(), *ctx.layout, gradient.numpy())
        return None, gradient, None, None


@cache
def _layout(grid: GridSpec, num_levels: int) -> tuple[np.ndarray, ...]:
    """Arrays with one value per level: cells across, nodes across, entries, first entry, and whether it is dense."""
    levels = range(num_levels)
    return (
        np.array([grid.scales[level] for level in levels]),
        np.array([grid.resolutions[level] for level in levels], np.int64),
        np.array([grid.sizes[level] for level in levels], np.int64),
        np.array([grid.offsets[level] for level in levels], np.int64),
        np.array([grid.is_dense(level) for level in levels]),
    )


@njit(inline="always")
def _row(i: int, j: int, k: int, resolution: int, size: int, offset: int, dense: bool) -> int:
    """Table row of a node; see `fastsdf.field.backends.torch_reference.node_rows`."""
    if dense:
        index = i + resolution * (j + resolution * k)
        if index < 0 or index >= size:
            index = index % size
        return index + offset
    return ((i ^ (j * _PRIME_Y) ^ (k * _PRIME_Z)) & (size - 1)) + offset


@njit(inline="always")
def _corner_rows(
    i: int, j: int, k: int, resolution: int, size: int, offset: int, dense: bool, rows: np.ndarray
) -> None:
    """Rows (8,) of the corners of a cell, x fastest."""
    for corner in range(8):
        rows[corner] = _row(i + (corner & 1), j + (corner >> 1 & 1), k + (corner >> 2), resolution, size, offset, dense)


@njit(parallel=True, cache=True, fastmath=True)
def _encode(
    x: np.ndarray,
    table: np.ndarray,
    scales: np.ndarray,
    resolutions: np.ndarray,
    sizes: np.ndarray,
    offsets: np.ndarray,
    dense: np.ndarray,
    out: np.ndarray,
) -> None:
    """Writes the features of points to ``out`` (n, levels * features).

    Consecutive points in the same cell, as most taps of a stencil are, share the look-up of its corners.
    """
    n, features, levels = x.shape[0], table.shape[1], scales.shape[0]
    for block in prange((n + _BLOCK - 1) // _BLOCK):
        rows = np.empty(8, np.int64)
        values = np.empty((features, 8), table.dtype)
        for level in range(levels):
            scale, half, one = x.dtype.type(scales[level]), x.dtype.type(0.5), x.dtype.type(1)
            resolution, size, offset, is_dense = resolutions[level], sizes[level], offsets[level], dense[level]
            ci, cj, ck = _NO_CELL, _NO_CELL, _NO_CELL
            for p in range(block * _BLOCK, min(n, (block + 1) * _BLOCK)):
                px, py, pz = x[p, 0] * scale + half, x[p, 1] * scale + half, x[p, 2] * scale + half
                fx, fy, fz = np.floor(px), np.floor(py), np.floor(pz)
                i, j, k = np.int64(fx), np.int64(fy), np.int64(fz)
                if i != ci or j != cj or k != ck:
                    ci, cj, ck = i, j, k
                    _corner_rows(i, j, k, resolution, size, offset, is_dense, rows)
                    for f in range(features):
                        for corner in range(8):
                            values[f, corner] = table[rows[corner], f]
                rx, ry, rz = px - fx, py - fy, pz - fz
                qx, qy, qz = one - rx, one - ry, one - rz
                for f in range(features):
                    v = values[f]
                    low = qy * (qx * v[0] + rx * v[1]) + ry * (qx * v[2] + rx * v[3])
                    high = qy * (qx * v[4] + rx * v[5]) + ry * (qx * v[6] + rx * v[7])
                    out[p, level * features + f] = qz * low + rz * high


@njit(parallel=True, cache=True, fastmath=True)
def _encode_backward(
    x: np.ndarray,
    grad: np.ndarray,
    scales: np.ndarray,
    resolutions: np.ndarray,
    sizes: np.ndarray,
    offsets: np.ndarray,
    dense: np.ndarray,
    out: np.ndarray,
) -> None:
    """Adds the gradient of the table to ``out``.

    The sums over consecutive points in the same cell are written once.
    """
    n, features, levels = x.shape[0], out.shape[1], scales.shape[0]
    if n == 0:
        return
    for level in prange(levels):
        rows = np.zeros(8, np.int64)
        sums = np.zeros((features, 8), out.dtype)
        scale, half, one = x.dtype.type(scales[level]), x.dtype.type(0.5), x.dtype.type(1)
        resolution, size, offset, is_dense = resolutions[level], sizes[level], offsets[level], dense[level]
        ci, cj, ck = _NO_CELL, _NO_CELL, _NO_CELL
        for p in range(n + 1):
            q = min(p, n - 1)
            px, py, pz = x[q, 0] * scale + half, x[q, 1] * scale + half, x[q, 2] * scale + half
            fx, fy, fz = np.floor(px), np.floor(py), np.floor(pz)
            i, j, k = np.int64(fx), np.int64(fy), np.int64(fz)
            if p == n or i != ci or j != cj or k != ck:
                if ci != _NO_CELL:
                    for f in range(features):
                        for corner in range(8):
                            out[rows[corner], f] += sums[f, corner]
                            sums[f, corner] = 0
                if p == n:
                    break
                ci, cj, ck = i, j, k
                _corner_rows(i, j, k, resolution, size, offset, is_dense, rows)
            rx, ry, rz = px - fx, py - fy, pz - fz
            qx, qy, qz = one - rx, one - ry, one - rz
            for f in range(features):
                g = grad[p, level * features + f]
                s = sums[f]
                low, high = g * qz, g * rz
                a, b, c, d = low * qy, low * ry, high * qy, high * ry
                s[0] += a * qx
                s[1] += a * rx
                s[2] += b * qx
                s[3] += b * rx
                s[4] += c * qx
                s[5] += c * rx
                s[6] += d * qx
                s[7] += d * rx
