# SPDX-License-Identifier: MIT
"""Runs the fused field, losses and Adam in Triton's interpreter and saves the results.

``python -m tests.helpers.interpreted_field OUT.pt`` is a separate program, because TRITON_INTERPRET=1 must be set
before triton is first imported.
"""

import sys

import torch

from fastsdf.field.backends.triton_gpu import TritonBackend
from fastsdf.training.backend_kernels import adam_update_for, fused_losses
from tests.helpers.adam_cases import SIZES, adam_steps
from tests.helpers.field_cases import CASES, field_for, outputs_and_gradients
from tests.helpers.loss_cases import LOSS_CASES, losses_and_gradients
from tests.helpers.training_step_cases import STEP_CASES, step_field, terms_and_gradients


def main(out: str) -> None:
    """Saves the results of fields, losses and steps by case name, and those of Adam by size."""
    fields = {name: outputs_and_gradients(field_for(case, TritonBackend()), case) for name, case in CASES.items()}
    losses = {name: losses_and_gradients(case, fused_losses) for name, case in LOSS_CASES.items()}
    update = adam_update_for(TritonBackend.info)
    adam = {(size, decays): adam_steps(size, update, decays=decays) for size in SIZES for decays in (False, True)}
    steps = {name: terms_and_gradients(step_field(TritonBackend()), case, True) for name, case in STEP_CASES.items()}
    torch.save({"fields": fields, "losses": losses, "adam": adam, "steps": steps}, out)


if __name__ == "__main__":
    main(sys.argv[1])
