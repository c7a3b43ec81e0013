# SPDX-License-Identifier: MIT
"""Computes the whole field with its finite differences as one operation by Triton on CUDA, in float32.

Gradients of the table are summed by atomic additions, so two runs differ in the last bits.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastsdf.field.backends.base import BackendInfo, FieldWeights, FusedLevels, refuse_point_gradient
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.triton.encode import encode_backward, encode_forward, padded
from fastsdf.field.triton.fused import FusedField, FusedInputs
from fastsdf.field.triton.levels import LevelTable, level_table


class TritonBackend:
    """CUDA backend; first derivatives with respect to the weights only.

    With TRITON_INTERPRET=1 it runs slowly on the CPU, for tests.
    """

    info = BackendInfo("triton", ("cuda",), (torch.float32,), max_autograd_order=1)

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`.

        Raises:
            UnsupportedDerivative: if ``x`` requires a gradient.
        """
        refuse_point_gradient(x, self.info)
        levels = level_table(grid, 0.5, 0.5, x.device)
        return _Encode.apply(x.contiguous(), table, levels, num_levels)  # pyright: ignore[reportReturnType]

    def evaluate(
        self, weights: FieldWeights, x: Tensor, others: Tensor, step: Tensor, levels: FusedLevels
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `fastsdf.field.backends.base.FusedBackend.evaluate`.

        Raises:
            UnsupportedDerivative: if the points require a gradient.
        """
        refuse_point_gradient(x, self.info)
        refuse_point_gradient(others, self.info)
        table = level_table(weights.grid, weights.reach, 0.0, x.device)
        inputs = FusedInputs(table, levels.count, levels.fade, step, weights.softplus_beta)
        layers = _network_weights(weights)
        return FusedField.apply(x.contiguous(), others.contiguous(), inputs, weights.table, *layers)  # pyright: ignore[reportReturnType]


def _network_weights(weights: FieldWeights) -> list[Tensor]:
    """Weight and bias of the first, second (empty if there is none) and last layer: six tensors."""
    (first, *middle, last) = weights.layers
    empty = first[0].new_zeros(0)
    second = middle[0] if middle else (empty, empty)
    return [*first, *second, *last]


class _Encode(torch.autograd.Function):
    """The encoding alone; differentiable with respect to the table."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, levels: LevelTable, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`."""
        ctx.levels, ctx.shape = levels, table.shape
        fade = torch.ones((), device=x.device)
        ctx.save_for_backward(x, fade)
        return encode_forward(x, table, levels, fade, num_levels)[:, : len(x)].T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None, None]:
        """The gradient with respect to the table."""
        x, fade = ctx.saved_tensors
        gradient = torch.zeros(ctx.shape, dtype=grads[0].dtype, device=x.device)
        grad = functional.pad(grads[0].T, (0, padded(len(x)) - len(x))).contiguous()
        encode_backward(x, grad, torch.zeros_like(fade), gradient, ctx.levels, fade)
        return None, gradient, None, None
