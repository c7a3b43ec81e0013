# SPDX-License-Identifier: MIT
"""Runs the fused field, losses and Adam in Triton's interpreter and saves what they give.

``python interpreted_field.py OUT.pt`` is a program of its own, because TRITON_INTERPRET=1 must be set before triton is
first imported.
"""

import sys

import torch
from field_cases import CASES, field_for, outputs_and_gradients
from loss_cases import LOSS_CASES, losses_and_gradients

from fastsdf.adam import Moments
from fastsdf.backends.triton_gpu import TritonBackend

SIZES = (0, 1, 1023, 1025)


def adam_steps(size: int) -> tuple[torch.Tensor, ...]:
    """A parameter and its moments after three steps with gradients of which every third value is 0."""
    generator = torch.Generator().manual_seed(size)
    param = torch.randn(size, generator=generator)
    moments = Moments(torch.zeros(size), torch.zeros(size))
    for step in (1.0, 2.0, 3.0):
        grad = torch.randn(size, generator=generator)
        grad[::3] = 0
        TritonBackend().adam_update(param, grad, moments, torch.tensor(step), torch.tensor(0.5), 1e-2)
    return param, *moments


def main(out: str) -> None:
    """Saves fields by name of the case, losses by name, and Adam by size."""
    fields = {name: outputs_and_gradients(field_for(case, TritonBackend()), case) for name, case in CASES.items()}
    losses = {name: losses_and_gradients(case, TritonBackend().losses) for name, case in LOSS_CASES.items()}
    torch.save({"fields": fields, "losses": losses, "adam": {size: adam_steps(size) for size in SIZES}}, out)


if __name__ == "__main__":
    main(sys.argv[1])
