# SPDX-License-Identifier: MIT
"""Evaluates the whole field as one differentiable operation: u with its gradient and Laplacian at points."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastsdf.field.triton.encode import encode_backward, encode_forward
from fastsdf.field.triton.levels import LevelTable
from fastsdf.field.triton.network import Encoded, Network, network_backward, network_forward
from fastsdf.field.triton.stencil_encode import stencil_backward, stencil_forward


class FusedInputs(NamedTuple):
    """Inputs of the operation besides points and weights.

    Attributes:
        levels: geometry of the grid's levels.
        count: number of levels to evaluate.
        fade: weight of the last of these levels, a tensor of one element.
        step: tap distance h, a tensor of one element.
        beta: sharpness of the softplus; 0 means relu.
    """

    levels: LevelTable
    count: int
    fade: Tensor
    step: Tensor
    beta: float


class FusedField(torch.autograd.Function):
    """(points, others, inputs, table, six network weights) -> u, grad u, lap u at the points, and u at the others.

    It has first derivatives with respect to the table and the network only.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, others: Tensor, inputs: FusedInputs, table: Tensor, *weights: Tensor) -> Any:
        """See the class."""
        levels, count, fade, step, beta = inputs
        network = Network(*weights, beta=beta)
        encoded = stencil_forward(x, table, levels, fade, step, count)
        values = encode_forward(others, table, levels, fade, count)
        plain = Encoded(values, encoded.differences[:0, :, :0])
        ctx.inputs, ctx.shape = inputs, table.shape
        ctx.save_for_backward(x, others, *encoded, *plain, *weights)
        return *network_forward(x, encoded, network, step), network_forward(others, plain, network, step)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Gradients of the table and of the network weights."""
        x, others, *kept = ctx.saved_tensors
        encoded, plain, weights = Encoded(*kept[:2]), Encoded(*kept[2:4]), kept[4:]
        levels, _, fade, step, beta = ctx.inputs
        network = Network(*weights, beta=beta)
        to_table = x.new_zeros(ctx.shape)
        to_value, to_gradient, to_laplacian, to_others = (g.contiguous() for g in grads)
        to_encoded, largest, to_weights = network_backward(
            x, encoded, network, step, (to_value, to_gradient, to_laplacian)
        )
        stencil_backward(x, to_encoded, largest, to_table, levels, fade, step)
        if len(others):
            empty = to_others[:0]
            to_plain, largest, added = network_backward(others, plain, network, step, (to_others, empty, empty))
            encode_backward(others, to_plain.values, largest, to_table, levels, fade)
            to_weights = [a + b for a, b in zip(to_weights, added, strict=True)]
        return None, None, None, to_table, *to_weights
