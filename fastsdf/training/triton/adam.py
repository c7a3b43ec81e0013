# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Takes an Adam step of a parameter in one pass over its values, by Triton."""

import math

import triton
import triton.language as tl
from torch import Tensor

from fastsdf.training.adam import FLOOR, MEAN_DECAY, SQUARE_DECAY, Moments, Pace

BLOCK = 1024  # values per program; chosen
# Triton kernels read constants of this type only.
_MEAN, _SQUARE, _FLOOR = tl.constexpr(MEAN_DECAY), tl.constexpr(SQUARE_DECAY), tl.constexpr(FLOOR)
_LOG2_MEAN, _LOG2_SQUARE = tl.constexpr(math.log2(MEAN_DECAY)), tl.constexpr(math.log2(SQUARE_DECAY))


def adam_update(param: Tensor, grad: Tensor, moments: Moments, pace: Pace) -> None:
    """See `fastsdf.training.adam.AdamUpdate`."""
    count, factor, rate, decay = pace
    if param.numel():
        launch = (triton.cdiv(param.numel(), BLOCK),)
        width = 1 if decay is None else param.numel() // len(decay)
        _update[launch](
            param, grad.contiguous(), *moments, count, factor, param if decay is None else decay, rate, param.numel(),
            decay is not None, width, BLOCK,
        )  # fmt: skip


@triton.jit
def _update(
    param_ptr, grad_ptr, mean_ptr, square_ptr, count_ptr, factor_ptr, decay_ptr, rate, n,
    DECAYS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """See `fastsdf.training.adam.adam_update`; ``WIDTH`` values share a weight decay."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = index < n
    count = tl.load(count_ptr)
    rate = rate * tl.load(factor_ptr)
    square_correction = 1 / (1 - tl.exp2(count * _LOG2_SQUARE))
    grad = tl.load(grad_ptr + index, mask=mask, other=0.0)
    mask = grad != 0
    mean = tl.load(mean_ptr + index, mask=mask, other=0.0) * _MEAN + grad * (1 - _MEAN)
    square = tl.load(square_ptr + index, mask=mask, other=0.0) * _SQUARE + grad * grad * (1 - _SQUARE)
    param = tl.load(param_ptr + index, mask=mask, other=0.0)
    if DECAYS:
        param *= 1 - rate * tl.load(decay_ptr + index // WIDTH, mask=mask, other=0.0)
    rate /= 1 - tl.exp2(count * _LOG2_MEAN)
    tl.store(param_ptr + index, param - rate * mean / (tl.sqrt(square * square_correction) + _FLOOR), mask=mask)
    tl.store(mean_ptr + index, mean, mask=mask)
    tl.store(square_ptr + index, square, mask=mask)
