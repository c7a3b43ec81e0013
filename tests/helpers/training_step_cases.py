# SPDX-License-Identifier: MIT
"""A training batch and the settings of a step, for the tests that compare a fused step with the reference."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fastsdf.config.models import FitConfig, ViscosityConfig
from fastsdf.field.backends.base import Backend
from fastsdf.field.network import HashGridSDF
from fastsdf.training.losses import TERMS
from fastsdf.training.sampling import TrainBatch
from fastsdf.training.step import StepSettings, fused_terms, loss_terms
from tests.helpers.field_cases import Case, field_for

FIELD = Case(width=16, levels=4, fade=0.4)
SETTINGS = StepSettings(0.3, 3.4, 4, 0.4, 0.02, 0.013, 1.0)


class StepCase(NamedTuple):
    """Numbers of surface, near and uniform points, and settings of the viscosity."""

    counts: tuple[int, int, int]
    options: dict[str, Any]


STEP_CASES = {
    "default": StepCase((40, 21, 19), {}),
    "no near points": StepCase((5, 0, 9), {"form": "signed", "on_surface": True, "power": 2}),
}


def batch_of(case: StepCase) -> TrainBatch:
    """Random points with random normals, bounds and confidences, float32."""
    generator = torch.Generator().manual_seed(5)
    s, m, k = case.counts

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    return TrainBatch(
        surface=2 * draw(s, 3) - 1, normals=normalize(draw(s, 3) - 0.5) * 2 * draw(s, 1), confidence=draw(s),
        near=2 * draw(m, 3) - 1, near_lower=-0.02 * draw(m), near_upper=0.02 * draw(m),
        near_confidence=draw(m), uniform=2 * draw(k, 3) - 1,
    )  # fmt: skip


def step_field(backend: Backend) -> HashGridSDF:
    """The field that the step trains."""
    return field_for(FIELD, backend)


def terms_and_gradients(field: HashGridSDF, case: StepCase, fused: bool) -> dict[str, Tensor]:
    """Total and terms of the loss, and the gradients of the total with respect to the parameters of the field."""
    config = FitConfig(viscosity=ViscosityConfig(**case.options))
    batch = TrainBatch(*(a.to(field.table.dtype) for a in batch_of(case)))
    if fused:
        total, terms = fused_terms(field, batch, SETTINGS, config)
    else:
        named = loss_terms(field, batch, SETTINGS, config)
        terms = torch.stack([named.get(name, field.table.new_zeros(())) for name in TERMS])
        total = (terms * terms.new_tensor([getattr(config.loss, name) for name in TERMS])).sum()
    gradients = torch.autograd.grad(total, list(field.parameters()))
    names = [f"to {name}" for name, _ in field.named_parameters()]
    return {"total": total.detach().reshape(()), "terms": terms.detach(), **dict(zip(names, gradients, strict=True))}
