# SPDX-License-Identifier: MIT
"""Field values and loss settings, for the tests of the fused losses."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fastsdf.config.models import LossConfig, ViscosityConfig
from fastsdf.field.finite_differences import Stencil
from fastsdf.training import losses

WEIGHTS = LossConfig(surface=3.0, inter=2.0, inter_sharpness=20.0, eikonal_off_surface=0.7, normal=1.5, near=4.0)
STEP, EPSILON = 0.02, 0.013  # tap distance and viscosity; chosen of the size in a fit


class LossCase(NamedTuple):
    """Numbers of points of each kind, settings of the residual, loss weights, and viscosity."""

    surface: int = 70
    near: int = 33
    uniform: int = 200
    options: dict[str, Any] = {}  # noqa: RUF012
    weights: dict[str, float] = {}  # noqa: RUF012
    viscosity: float = EPSILON


LOSS_CASES = {
    "default": LossCase(),
    "squares": LossCase(options={"power": 2}),
    "squared norm": LossCase(options={"residual": "squared_norm"}),
    "signed, squares": LossCase(options={"form": "signed", "residual": "squared_norm", "power": 2}),
    "no viscosity": LossCase(options={"form": "none"}, viscosity=0.0),
    "sharp": LossCase(weights={"inter_sharpness": 100.0}),
    "some terms off": LossCase(weights={"surface": 0.0, "normal": 0.0, "inter": 0.0}),
    "the other terms off": LossCase(weights={"near": 0.0, "eikonal_surface": 0.0, "eikonal_off_surface": 0.0}),
    "viscous on the surface": LossCase(options={"on_surface": True}),
    "signed on the surface": LossCase(options={"on_surface": True, "form": "signed"}),
    "no near points": LossCase(near=0),
    "no uniform points": LossCase(uniform=0),
    "surface alone": LossCase(near=0, uniform=0),
    "one block and a point": LossCase(surface=1, near=1, uniform=255),
}


def values_and_inputs(case: LossCase, dtype: torch.dtype) -> tuple[list[Tensor], losses.LossInputs]:
    """u, gradient and Laplacian at all points, and the other inputs of the losses.

    The first and the last gradient are 0. The inputs for surface points are columns of one tensor, and so are those for
    near points, as `fastsdf.training.sampling.Sampler` draws them.
    """
    generator = torch.Generator().manual_seed(3)
    n = case.surface + case.near + case.uniform

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    values = [0.05 * draw(n), draw(n, 3), 5 * draw(n)]
    values[1][[0, -1]] = 0
    surface = torch.cat(
        [draw(case.surface, 3), _weighted_normals(draw(case.surface, 4)), draw(case.surface, 1).sigmoid()], 1
    )
    bounds = 0.05 * draw(case.near, 2).sort(dim=1).values
    near = torch.cat([draw(case.near, 3), bounds, draw(case.near, 1).sigmoid()], 1)
    surface, near = surface.to(dtype), near.to(dtype)
    numbers = (torch.tensor(value, dtype=dtype) for value in (case.viscosity, STEP))
    inputs = losses.LossInputs(surface[:, 3:6], surface[:, 6], near[:, 3], near[:, 4], near[:, 5], *numbers)
    return [v.to(dtype).requires_grad_() for v in values], inputs


def _weighted_normals(values: Tensor) -> Tensor:
    """Normals (n, 3) whose lengths are the weights, from random numbers (n, 4); some weights are 0."""
    return normalize(values[:, :3]) * values[:, 3:].clamp_min(0)


def losses_and_gradients(
    case: LossCase, compute: Callable[..., tuple[Tensor, Tensor]], dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Total and terms of the loss, and the gradients of the total with respect to u, gradient and Laplacian."""
    values, inputs = values_and_inputs(case, dtype)
    weights = WEIGHTS.model_copy(update=case.weights)
    total, terms = compute(*values, inputs, weights, ViscosityConfig(**case.options))
    gradients = torch.autograd.grad(2 * total.sum(), values, materialize_grads=True)
    names = ("to sdf", "to gradient", "to laplacian")
    return {"total": total.detach(), "terms": terms.detach(), **dict(zip(names, gradients, strict=True))}


def reference(
    sdf: Tensor,
    gradient: Tensor,
    laplacian: Tensor,
    inputs: losses.LossInputs,
    weights: LossConfig,
    viscosity: ViscosityConfig,
) -> tuple[Tensor, Tensor]:
    """Total and terms of the loss, computed by the functions of `fastsdf.training.losses`."""
    s, m = len(inputs.normals), len(inputs.near_lower)
    parts = (slice(0, s), slice(s, None))
    on, off = (Stencil(sdf[p], gradient[p], laplacian[p]) for p in parts)
    epsilon = float(inputs.viscosity) if viscosity.on_surface else 0.0

    def eikonal(stencil: Stencil, epsilon: float) -> Tensor:
        residual = losses.viscous_eikonal_residual(stencil, epsilon, viscosity, float(inputs.step))
        return losses.residual_loss(residual, viscosity.power)

    terms = [
        losses.surface_loss(on.sdf),
        losses.inter_loss(off.sdf[m:], weights.inter_sharpness),
        eikonal(off, float(inputs.viscosity)),
        eikonal(on, epsilon),
        losses.normal_loss(on.gradient, inputs.normals, inputs.confidence),
        losses.near_loss(off.sdf[:m], inputs.near_lower, inputs.near_upper, inputs.near_confidence),
    ]
    factors = [getattr(weights, name) for name in losses.TERMS]
    empty = (False, len(sdf) == s + m, len(sdf) == s, False, False, m == 0)
    left_out = [e or not factor for e, factor in zip(empty, factors, strict=True)]
    kept = torch.stack([sdf.sum() * 0 if out else t for t, out in zip(terms, left_out, strict=True)])
    return (kept * kept.new_tensor(factors)).sum(), kept
