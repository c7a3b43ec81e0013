# SPDX-License-Identifier: MIT
"""Hash-grid encoding by tiny-cuda-nn on CUDA: float32, over the table of `fastsdf.field.network.HashGridSDF`.

The only file that imports tinycudann, and only once a grid is evaluated: a bad build of it crashes the interpreter, so
`fastsdf.field.backends.probe` tries it in a child process first. The table is handed to tiny-cuda-nn's native module at
each call; that module's own parameters are never used. docs/guides/backends.md says why the network is not tiny-cuda-nn's.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from fastsdf.errors import BackendUnavailable
from fastsdf.field.backends.base import BackendInfo, refuse_point_gradient
from fastsdf.field.hash_grid import ALIGNMENT, GridSpec

BATCH_GRANULARITY = 256
MAX_FEATURES = 128  # its transposition starts a thread block of 8 threads per feature, and CUDA allows 1024
_SCALE_ERROR = 2.0**-20  # relative, of base * growth^level: exp2 on the device, log2 on the host, their roundings
_GROWTH_STEPS = 128  # times 2^-23: how far the finest scale may be moved, relative


def why_not_grid(grid: GridSpec) -> str:
    """Why tiny-cuda-nn cannot evaluate a grid with the entries where `GridSpec` has them; empty if it can."""
    if grid.num_features > MAX_FEATURES:
        return f"evaluates {MAX_FEATURES} features at most, not {grid.num_levels} levels of {grid.features_per_level}"
    if _matching_growth(grid) is None:
        return (
            f"rounds resolutions of this grid differently (float32 growth near {grid.growth:.8g} from "
            f"{grid.base_resolution} nodes), so its table would mean another field"
        )
    return ""


class TinyCudaNNBackend:
    """CUDA backend; first derivatives of the table only.

    tiny-cuda-nn's own double backward gives second derivatives in the points, but not their derivatives in the table:
    a Laplacian through it trains without an error and without the grid. Hence no derivative in the points here.
    """

    info = BackendInfo(
        "tcnn",
        ("cuda",),
        (torch.float32,),
        max_autograd_order=1,
        note="encoding in float32, network in torch: tiny-cuda-nn's float16 network is too coarse for Laplacians",
        why_not_grid=why_not_grid,
    )

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`; x in the unit cube only (dense levels wrap differently).

        Raises:
            UnsupportedDerivative: if a derivative with respect to ``x`` is wanted.
            BackendUnavailable: if `why_not_grid` objects to the grid.
        """
        refuse_point_gradient(x, self.info)
        return _Encode.apply(x, table, grid, num_levels)  # pyright: ignore[reportReturnType]


class _Encode(torch.autograd.Function):
    """Pads the points to whole batches; no points at all never reach tiny-cuda-nn, whose gradient is then garbage."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`."""
        ctx.native, ctx.count, ctx.rows = native_encoding(grid, num_levels), len(x), grid.offsets[num_levels]
        if ctx.count == 0:
            ctx.save_for_backward(x, table, x)
            return table.new_empty((0, num_levels * grid.features_per_level))
        x = functional.pad(x, (0, 0, 0, -ctx.count % BATCH_GRANULARITY)).contiguous()
        ctx.native_context, out = ctx.native.fwd(x, _parameters(table, ctx.rows, ctx.needs_input_grad[1]))
        ctx.save_for_backward(x, table, out)
        return out[: ctx.count]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None, None]:
        """The gradient to the table."""
        x, table, out = ctx.saved_tensors
        if ctx.count == 0:
            return None, torch.zeros_like(table), None, None
        grad = functional.pad(grads[0], (0, 0, 0, len(x) - ctx.count)).contiguous()
        _, gradient = ctx.native.bwd(ctx.native_context, x, _parameters(table, ctx.rows, True), out, grad)
        rows = gradient.view(ctx.rows, table.shape[1])
        return None, functional.pad(rows, (0, 0, 0, len(table) - ctx.rows)), None, None


def _parameters(table: Tensor, rows: int, trained: bool) -> Tensor:
    """The first rows of the table, flat, as a leaf; tiny-cuda-nn forms a gradient only for what requires one."""
    return table.detach()[:rows].reshape(-1).requires_grad_(trained)


@cache
def native_encoding(grid: GridSpec, num_levels: int) -> Any:
    """tiny-cuda-nn's native encoding of the first levels of a grid."""
    import tinycudann  # pyright: ignore[reportMissingImports]

    native = tinycudann.Encoding(3, encoding_config(grid, num_levels), dtype=torch.float32).native_tcnn_module
    found, expected = native.n_params(), grid.offsets[num_levels] * grid.features_per_level
    if found != expected:
        raise BackendUnavailable(
            f"this build of tiny-cuda-nn lays {num_levels} levels of {grid} out in {found} parameters instead of "
            f"{expected}; use --backend torch"
        )
    return native


def encoding_config(grid: GridSpec, num_levels: int) -> dict[str, Any]:
    """tiny-cuda-nn's configuration of the first ``num_levels`` levels of a grid.

    Raises:
        BackendUnavailable: if `why_not_grid` objects to the grid.
    """
    problem = why_not_grid(grid)
    if problem:
        raise BackendUnavailable(f"backend 'tcnn' {problem}; use --backend auto or --backend torch")
    return {
        "otype": "HashGrid",
        "n_levels": num_levels,
        "n_features_per_level": grid.features_per_level,
        "log2_hashmap_size": grid.log2_table_size,
        "base_resolution": grid.base_resolution,
        "per_level_scale": _matching_growth(grid),
        "interpolation": "Linear",
    }


@cache
def _matching_growth(grid: GridSpec) -> float | None:
    """The float32 nearest to the grid's growth with which tiny-cuda-nn finds each entry where `GridSpec` has it.

    Its scale exp2(level * log2(growth)) * base - 1 is float32, and a dense level whose scale is within rounding of a
    whole number may get one node more or fewer than intended; a growth a few units in the last place off moves it away.
    None if no such growth is near.
    """
    below = above = np.float32(grid.growth)
    candidates = [below]
    for _ in range(_GROWTH_STEPS // max(1, grid.num_levels - 1)):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
        candidates += [below, above]
    fitting = (float(growth) for growth in candidates if _layouts_agree(grid, growth))
    return next(fitting, None)


def _layouts_agree(grid: GridSpec, growth: np.float32) -> bool:
    """Whether sizes, dense levels and the strides of those are the same, whichever way its scales are rounded."""
    log2_growth = np.float32(math.log2(growth))
    exact = float(log2_growth).is_integer()  # powers of two
    for level in range(grid.num_levels):
        nodes = grid.base_resolution * 2.0 ** float(np.float32(level) * log2_growth)
        error = 0.0 if exact or level == 0 else _SCALE_ERROR
        for factor in (1 - error, 1 + error):
            resolution = math.ceil(nodes * factor - 1) + 1
            size = min(-(-(resolution**3) // ALIGNMENT) * ALIGNMENT, 1 << grid.log2_table_size)
            dense = resolution**3 <= size
            if size != grid.sizes[level] or dense != grid.is_dense(level):
                return False
            if dense and resolution != grid.resolutions[level]:
                return False
    return True
