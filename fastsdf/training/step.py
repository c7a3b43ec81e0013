# SPDX-License-Identifier: MIT
"""One training step: a batch, its loss terms, the optimiser; and the values that schedules give it.

A step needs nothing from the host but its number: its scheduled values come as numbers, or as tensors on the device
where steps are replayed as a CUDA graph (`fastsdf.training.captured_steps`).
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastsdf.config.models import FitConfig, RateConfig, ViscosityConfig
from fastsdf.field.finite_differences import Stencil
from fastsdf.field.network import HashGridSDF, split_levels
from fastsdf.training import losses, schedules
from fastsdf.training.adam import Adam, ParameterGroup
from fastsdf.training.backend_kernels import adam_update_for, fused_losses
from fastsdf.training.losses import TERMS, LossInputs
from fastsdf.training.sampling import Sampler, TrainBatch

Scalar = float | Tensor


class StepSettings(NamedTuple):
    """Scheduled values of one step; scalars may be tensors of one element on the device.

    Attributes:
        progress: share of the training done, in [0, 1).
        active_levels: grid levels in use, a fraction while one fades in.
        level_count: levels to evaluate.
        fade: weight of the last of them.
        step_size: finite-difference step h, unit frame.
        viscosity: epsilon, unit frame.
        rate_factor: on the learning rates.
    """

    progress: float
    active_levels: float
    level_count: int
    fade: Scalar
    step_size: Scalar
    viscosity: Scalar
    rate_factor: Scalar


@dataclass
class TrainState:
    """Everything that changes during training."""

    field: HashGridSDF
    sampler: Sampler
    optimizer: Adam
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def make_state(field_: HashGridSDF, sampler: Sampler, config: FitConfig) -> TrainState:
    """A fresh training state: Adam with one learning rate for the grid and one for the network."""
    rates = {"grid": config.training.rate.grid, "network": config.training.rate.network}
    decays = {"grid": _level_decay(field_, config.training.rate)}
    groups = [
        ParameterGroup(params, rates[name], decays.get(name)) for name, params in field_.parameter_groups().items()
    ]
    return TrainState(field_, sampler, Adam(groups, adam_update_for(field_.backend.info)))


def _level_decay(field_: HashGridSDF, rate: RateConfig) -> Tensor | None:
    """Weight decay (n,) of the table's rows: coarse levels say what they can, fine ones only what the points demand."""
    if not rate.level_decay:
        return None
    grid, table = field_.spec.grid, field_.table
    scales = torch.tensor(grid.scales, dtype=table.dtype, device=table.device)
    decay = rate.level_decay * (scales / scales[-1]) ** rate.level_decay_power
    return decay.repeat_interleave(torch.tensor(grid.sizes, device=table.device))


def step_settings(step: int, field_: HashGridSDF, config: FitConfig) -> StepSettings:
    """The scheduled values of a step."""
    training = config.training
    assert training.steps is not None
    t = step / training.steps
    levels = schedules.active_levels(t, field_.spec.grid.num_levels, training.levels)
    h = field_.step_size(levels, config.operators.step_cells)
    epsilon = schedules.viscosity(t, config.viscosity, h)
    count, fade = split_levels(levels, field_.spec.grid.num_levels)
    return StepSettings(t, levels, count, fade, h, epsilon, schedules.rate_factor(t, training.rate))


def unlocked_levels(step: int, field_: HashGridSDF, config: FitConfig) -> float:
    """Grid levels that ``step`` steps have unlocked, the last one faded; all of them if no schedule says otherwise."""
    training, num_levels = config.training, field_.spec.grid.num_levels
    if training.steps is None or training.levels.unlock_end is None:
        return float(num_levels)
    return schedules.active_levels(step / training.steps, num_levels, training.levels)


def loss_terms(field_: HashGridSDF, batch: TrainBatch, s: StepSettings, config: FitConfig) -> dict[str, Tensor]:
    """The unweighted loss terms of a batch, by name; terms of weight 0 and means over no points are left out.

    One stencil serves every term with derivatives; the rest of the surface points is evaluated once. Surface points
    take the plain eikonal residual unless ``viscosity.on_surface`` is set.
    """
    count = round(config.sampling.stencil_share * len(batch.surface))
    points = torch.cat([batch.surface[:count], batch.near, batch.uniform])
    both, rest = field_.stencil(
        points, batch.surface[count:], s.level_count, s.fade, s.step_size, config.operators.mode
    )
    on, off = Stencil(*(a[:count] for a in both)), Stencil(*(a[count:] for a in both))
    surface, near = torch.cat([on.sdf, rest]), len(batch.near)
    on_viscosity = s.viscosity if config.viscosity.on_surface else 0.0
    terms: dict[str, tuple[Tensor, Callable[[], Tensor]]] = {
        "surface": (batch.surface, lambda: losses.surface_loss(surface)),
        "near": (
            batch.near,
            lambda: losses.near_loss(off.sdf[:near], batch.near_lower, batch.near_upper, batch.near_confidence),
        ),
        "inter": (batch.uniform, lambda: losses.inter_loss(off.sdf[near:], config.loss.inter_sharpness)),
        "eikonal_off_surface": (off.sdf, lambda: _eikonal(off, s.viscosity, s.step_size, config.viscosity)),
        "eikonal_surface": (on.sdf, lambda: _eikonal(on, on_viscosity, s.step_size, config.viscosity)),
        "normal": (on.sdf, lambda: losses.normal_loss(on.gradient, batch.normals[:count], batch.confidence[:count])),
    }
    return {name: term() for name, (over, term) in terms.items() if len(over) and getattr(config.loss, name)}


def _eikonal(stencil: Stencil, epsilon: Scalar, step: Scalar, config: ViscosityConfig) -> Tensor:
    return losses.residual_loss(losses.viscous_eikonal_residual(stencil, epsilon, config, step), config.power)


def fused_terms(field_: HashGridSDF, batch: TrainBatch, s: StepSettings, config: FitConfig) -> tuple[Tensor, Tensor]:
    """The weighted total and the unweighted terms (6,) of a batch by a backend that fuses them; as `loss_terms`."""
    points = torch.cat([batch.surface, batch.near, batch.uniform])
    both, _ = field_.stencil(points, points[:0], s.level_count, s.fade, s.step_size)
    epsilon, step = (v if isinstance(v, Tensor) else points.new_full((), v) for v in (s.viscosity, s.step_size))
    known = (batch.normals, batch.confidence, batch.near_lower, batch.near_upper, batch.near_confidence)
    return fused_losses(*both, LossInputs(*known, epsilon, step), config.loss, config.viscosity)


def train_step(state: TrainState, s: StepSettings, config: FitConfig) -> Tensor:
    """One optimiser step; returns the detached terms in the order of `TERMS` (0 where absent), on the device."""
    batch = state.sampler.draw()
    if state.field.fuses(config.operators.mode) and config.sampling.stencil_share == 1.0:
        total, values = fused_terms(state.field, batch, s, config)
    else:
        terms = loss_terms(state.field, batch, s, config)
        total = torch.stack([getattr(config.loss, name) * value for name, value in terms.items()]).sum()
        values = torch.stack([terms.get(name, total.new_zeros(())).detach() for name in TERMS])
    grads = torch.autograd.grad(total, state.optimizer.params)
    if config.training.gradient_clip:
        grads = _clipped(grads, config.training.gradient_clip)
    state.optimizer.step(grads, s.rate_factor)
    return values


def _clipped(grads: Sequence[Tensor], limit: float) -> list[Tensor]:
    """The gradients scaled so that their joint norm is at most ``limit``."""
    norm = torch.stack([g.norm() for g in grads]).norm()
    factor = (limit / (norm + 1e-12)).clamp_max(1.0)
    return [g * factor for g in grads]
