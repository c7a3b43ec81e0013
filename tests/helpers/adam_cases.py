# SPDX-License-Identifier: MIT
"""Steps of Adam, for the tests that compare the update of a backend with the reference."""

import torch
from torch import Tensor

from fastsdf.training.adam import AdamUpdate, Moments, Pace

SIZES = (0, 1, 1023, 1025)  # parameters; around 1024, a multiple of the block sizes


def start_of(size: int) -> Tensor:
    """The initial parameter (size,), float32 on the CPU."""
    return torch.randn(size, generator=torch.Generator().manual_seed(size))


def adam_steps(
    size: int, update: AdamUpdate, dtype: torch.dtype = torch.float32, device: str = "cpu", decays: bool = False
) -> tuple[Tensor, ...]:
    """A parameter and its moments after four steps with decreasing learning rates.

    The gradients are not contiguous, and every third value of them is 0. With ``decays``, every value has its own
    weight decay.
    """
    generator = torch.Generator().manual_seed(size + 1)
    param = start_of(size).to(device, dtype)
    moments = Moments(torch.zeros_like(param), torch.zeros_like(param))
    decay = torch.linspace(0, 20, size).to(device, dtype) if decays else None
    for step in range(1, 5):
        grad = torch.randn((size, 2), generator=generator).to(device, dtype)[:, 0]
        grad[::3] = 0
        count, factor = (torch.tensor(value, dtype=dtype, device=device) for value in (step, 1 / step))
        update(param, grad, moments, Pace(count, factor, 1e-2, decay))
    return param, *moments
