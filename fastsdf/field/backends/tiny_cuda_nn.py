# SPDX-License-Identifier: MIT
"""Computes the hash-grid encoding by tiny-cuda-nn on CUDA, in float32.

This is the only file that imports tinycudann, and it does so only when a grid is evaluated: a bad build of it crashes
the interpreter, so `fastsdf.field.backends.probe` tests it in a child process first. The table of
`fastsdf.field.network.HashGridSDF` is passed to tiny-cuda-nn's native module in each call; the parameters of that
module are never used. docs/guides/backends.md explains why the network is computed by torch instead of tiny-cuda-nn.
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

BATCH_GRANULARITY = 256  # points; tiny-cuda-nn takes multiples of it only
MAX_FEATURES = 128  # its transposition uses thread blocks of 8 threads per feature, and CUDA allows 1024 threads
_SCALE_ERROR = 2.0**-20  # relative error of base * growth^level: rounding of exp2 on the device and log2 on the host
_GROWTH_STEPS = 128  # float32 steps of 2^-23: bound of the relative change of the finest scale


def why_not_grid(grid: GridSpec) -> str:
    """The reason why tiny-cuda-nn cannot evaluate a grid in the table layout of `GridSpec`; empty if it can."""
    if grid.num_features > MAX_FEATURES:
        return f"evaluates {MAX_FEATURES} features at most, not {grid.num_levels} levels of {grid.features_per_level}"
    if _matching_growth(grid) is None:
        return (
            f"rounds resolutions of this grid differently (float32 growth near {grid.growth:.8g} from "
            f"{grid.base_resolution} nodes), so the same table would give a different field"
        )
    return ""


class TinyCudaNNBackend:
    """CUDA backend; first derivatives with respect to the table only.

    The double backward pass of tiny-cuda-nn gives second derivatives with respect to the points, but not their
    derivatives with respect to the table: training with such a Laplacian would raise no error but ignore the grid.
    Therefore this backend offers no derivatives with respect to the points.
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
        """See `fastsdf.field.backends.base.Backend.encode`; outside the unit cube dense levels give other values.

        Raises:
            UnsupportedDerivative: if ``x`` requires a gradient.
            BackendUnavailable: if the grid cannot be evaluated, see `why_not_grid`.
        """
        refuse_point_gradient(x, self.info)
        return _Encode.apply(x, table, grid, num_levels)  # pyright: ignore[reportReturnType]


class _Encode(torch.autograd.Function):
    """Pads the points to whole batches; without points tiny-cuda-nn is not called, as its gradient is then invalid."""

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
        """The gradient with respect to the table."""
        x, table, out = ctx.saved_tensors
        if ctx.count == 0:
            return None, torch.zeros_like(table), None, None
        grad = functional.pad(grads[0], (0, 0, 0, len(x) - ctx.count)).contiguous()
        _, gradient = ctx.native.bwd(ctx.native_context, x, _parameters(table, ctx.rows, True), out, grad)
        rows = gradient.view(ctx.rows, table.shape[1])
        return None, functional.pad(rows, (0, 0, 0, len(table) - ctx.rows)), None, None


def _parameters(table: Tensor, rows: int, trained: bool) -> Tensor:
    """The first rows of the table as a flat leaf tensor; tiny-cuda-nn computes a gradient only if it requires one."""
    return table.detach()[:rows].reshape(-1).requires_grad_(trained)


@cache
def native_encoding(grid: GridSpec, num_levels: int) -> Any:
    """Native encoding of tiny-cuda-nn for the first ``num_levels`` levels of a grid.

    Raises:
        BackendUnavailable: if the grid cannot be evaluated, or the build has another table layout.
    """
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
    """Configuration of tiny-cuda-nn for the first ``num_levels`` levels of a grid.

    Raises:
        BackendUnavailable: if the grid cannot be evaluated, see `why_not_grid`.
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
    """The float32 growth, nearest to that of the grid, for which tiny-cuda-nn has the table layout of `GridSpec`.

    tiny-cuda-nn computes its scale exp2(level * log2(growth)) * base - 1 in float32. If the scale of a dense level is a
    whole number to within rounding, the level may get one node more or fewer than in `GridSpec`. Changing the growth by
    a few units in the last place avoids this. None if there is no such growth nearby.
    """
    below = above = np.float32(grid.growth)
    candidates = [below]
    for _ in range(_GROWTH_STEPS // max(1, grid.num_levels - 1)):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
        candidates += [below, above]
    fitting = (float(growth) for growth in candidates if _layouts_agree(grid, growth))
    return next(fitting, None)


def _layouts_agree(grid: GridSpec, growth: np.float32) -> bool:
    """Whether sizes, dense levels and strides are those of `GridSpec` for any rounding of tiny-cuda-nn's scales."""
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
