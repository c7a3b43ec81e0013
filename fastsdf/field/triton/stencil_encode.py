# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Launches the encoding of stencils: features at the centres, and their differences over the six taps.

Per axis these are the first difference f(x + h e) - f(x - h e) and the second difference
f(x + h e) + f(x - h e) - 2 f(x), both divided by h. They are computed from differences of table entries, so their
relative precision does not depend on h, and float16 is sufficient to store them.
"""

import torch
import triton
from torch import Tensor

from fastsdf.field.triton.encode import groups, padded
from fastsdf.field.triton.levels import LevelTable
from fastsdf.field.triton.network import Encoded
from fastsdf.field.triton.stencil_kernels import backward_kernel, forward_kernel

BLOCK = 128  # points per program; chosen


def stencil_forward(x: Tensor, table: Tensor, levels: LevelTable, fade: Tensor, step: Tensor, count: int) -> Encoded:
    """Encodes points (n, 3) and their taps at distance ``step`` on the first ``count`` levels.

    ``step`` and ``fade``, the weight of the last level, are tensors of one element.
    """
    n, width = len(x), count * table.shape[1]
    pitch = padded(n)
    out = Encoded(x.new_empty((width, pitch)), x.new_empty((6, width, pitch), dtype=torch.float16))
    for first, number, dense in groups(levels, count, n):
        geometry = (levels.frame, levels.layout, fade, step)
        forward_kernel[(triton.cdiv(n, BLOCK), number)](
            x, table, *geometry, *out, n, pitch, width, first, count, table.shape[1], dense, BLOCK
        )
    return out


def stencil_backward(
    x: Tensor, grad: Encoded, largest: Tensor, table_grad: Tensor, levels: LevelTable, fade: Tensor, step: Tensor
) -> None:
    """Adds the gradient of the table to ``table_grad``, from the gradient ``grad`` of `stencil_forward`'s result.

    ``largest`` determines the scale of ``grad``, see `fastsdf.field.triton.network.network_backward`.
    """
    n, features = len(x), table_grad.shape[1]
    count = len(grad.values) // features
    for first, number, dense in groups(levels, count, n):
        geometry = (levels.frame, levels.layout, fade, step)
        backward_kernel[(triton.cdiv(n, BLOCK), number)](
            x,
            *grad,
            largest,
            *geometry,
            table_grad,
            n,
            padded(n),
            len(grad.values),
            first,
            count,
            features,
            dense,
            BLOCK,
        )
