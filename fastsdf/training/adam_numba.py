# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Takes an Adam step of a parameter in one pass over its values, by numba on the CPU."""

import numpy as np
from numba import njit, prange
from torch import Tensor

from fastsdf.training.adam import FLOOR, MEAN_DECAY, SQUARE_DECAY, Moments, Pace


def adam_update(param: Tensor, grad: Tensor, moments: Moments, pace: Pace) -> None:
    """See `fastsdf.training.adam.AdamUpdate`."""
    steps, rate = float(pace.count), pace.rate * float(pace.factor)
    arrays = [a.detach().reshape(-1).numpy() for a in (param, grad.contiguous(), *moments)]
    decay = np.zeros(1, arrays[0].dtype) if pace.decay is None else rate * pace.decay.numpy()
    _adam(*arrays, decay, rate / (1 - MEAN_DECAY**steps), 1 / (1 - SQUARE_DECAY**steps))


@njit(parallel=True, cache=True)
def _adam(
    param: np.ndarray,
    grad: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    decay: np.ndarray,
    rate: float,
    square_correction: float,
) -> None:
    """Adam over flat arrays.

    Args:
        param, grad, mean, square: (v,) the parameter, its gradient and its moments.
        decay: (n,) share that each of the n rows loses in this step.
        rate: learning rate, divided by the bias of the mean.
        square_correction: factor that removes the bias of the mean square.
    """
    width = max(len(param) // len(decay), 1)
    for i in prange(len(param)):
        if grad[i] == 0:
            continue
        mean[i] += (1 - MEAN_DECAY) * (grad[i] - mean[i])
        square[i] = SQUARE_DECAY * square[i] + (1 - SQUARE_DECAY) * grad[i] * grad[i]
        param[i] -= decay[i // width] * param[i] + rate * mean[i] / (np.sqrt(square[i] * square_correction) + FLOOR)
