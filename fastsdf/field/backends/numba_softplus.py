# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Computes softplus and its slope in one pass over float32 values, by numba.

softplus(t) is max(t, 0) plus a bump log(1 + e^-|t|). The bump is computed from a table of cubics, one for each 64th of
a unit, with an error below 1e-10. For |t| > 18 it is less than a float32 rounding error and is taken as 0.
"""

from typing import Any

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

_PER_UNIT = 64  # nodes per unit of t; keeps the error below 1e-10
_LIMIT = 18.0  # e^-18 is 1.5e-8, less than a float32 rounding error of t


def _cubics() -> np.ndarray:
    """(nodes, 4) float32 Taylor coefficients of the bump about each node."""
    a = np.arange(int(_LIMIT * _PER_UNIT) + 2) / _PER_UNIT
    s = 1 / (1 + np.exp(a))
    p = s * (1 - s)
    return np.stack([np.log1p(np.exp(-a)), -s, p / 2, -p * (1 - 2 * s) / 6], axis=1).astype(np.float32)


# Coefficients of the cubics, computed once.
_CUBICS = _cubics()


class Softplus(torch.autograd.Function):
    """softplus(beta x) / beta of float32 values on the CPU; differentiable once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: float) -> Tensor:
        """See the class."""
        x = x.contiguous()
        out, slope = torch.empty_like(x), torch.empty_like(x)
        _softplus(*(a.detach().view(-1).numpy() for a in (x, out, slope)), np.float32(beta), _CUBICS)
        ctx.save_for_backward(slope)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """The incoming gradient times the slope."""
        return grads[0] * ctx.saved_tensors[0], None


@njit(parallel=True, cache=True)
def _softplus(x: np.ndarray, out: np.ndarray, slope: np.ndarray, beta: float, cubics: np.ndarray) -> None:
    """Writes softplus and its slope at every value; NaN gives NaN for softplus."""
    for i in prange(len(x)):
        value = x[i]
        size = abs(beta * value)
        ramp = np.float32(0.5) * (value + abs(value))
        if size < _LIMIT:
            node = int(size * _PER_UNIT + np.float32(0.5))
            f = size - np.float32(node) * np.float32(1 / _PER_UNIT)
            c0, c1, c2, c3 = cubics[node, 0], cubics[node, 1], cubics[node, 2], cubics[node, 3]
            out[i] = ramp + (c0 + f * (c1 + f * (c2 + f * c3))) / beta
            fall = c1 + f * (np.float32(2) * c2 + np.float32(3) * f * c3)
            slope[i] = np.float32(1) + fall if value >= 0 else -fall
        else:
            out[i] = ramp
            slope[i] = np.float32(1) if value > 0 else np.float32(0)
