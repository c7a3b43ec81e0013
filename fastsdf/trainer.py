# SPDX-License-Identifier: MIT
"""The training loop: one readable step, schedules around it, and no input or output of its own."""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastsdf import losses, schedules
from fastsdf.config import FitConfig, ViscosityConfig
from fastsdf.errors import TrainingError
from fastsdf.field import HashGridSDF
from fastsdf.operators import Stencil, differentiate, require_mode
from fastsdf.sampling import Sampler, TrainBatch

TERMS: tuple[str, ...] = ("surface", "inter", "eikonal_off_surface", "eikonal_surface", "normal", "near")


class StepSettings(NamedTuple):
    """Scheduled values of one step: progress in [0, 1), levels, step h and viscosity (unit frame), rate factor."""

    progress: float
    active_levels: float
    step_size: float
    viscosity: float
    rate_factor: float


@dataclass(frozen=True)
class Progress:
    """What a loop reports every ``log_every`` steps: unweighted loss terms and the step's settings."""

    step: int
    total: int
    terms: dict[str, float]
    settings: StepSettings
    seconds: float


@dataclass
class TrainState:
    """Everything that changes during training."""

    field: HashGridSDF
    sampler: Sampler
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def make_state(field_: HashGridSDF, sampler: Sampler, config: FitConfig) -> TrainState:
    """A fresh training state: Adam with one learning rate for the grid and one for the network."""
    rates = {"grid": config.training.rate.grid, "network": config.training.rate.network}
    groups = [{"params": p, "lr": rates[k], "base_rate": rates[k]} for k, p in field_.parameter_groups().items()]
    return TrainState(field_, sampler, torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15))


def step_settings(step: int, field_: HashGridSDF, config: FitConfig) -> StepSettings:
    """The scheduled values of a step."""
    training = config.training
    assert training.steps is not None
    t = step / training.steps
    levels = schedules.active_levels(t, field_.spec.grid.num_levels, training.levels)
    h = field_.step_size(levels, config.operators.step_cells)
    epsilon = schedules.viscosity(t, config.viscosity, h)
    return StepSettings(t, levels, h, epsilon, schedules.rate_factor(t, training.rate))


def loss_terms(field_: HashGridSDF, batch: TrainBatch, s: StepSettings, config: FitConfig) -> dict[str, Tensor]:
    """The unweighted loss terms of a batch, by name; terms of weight 0 and means over no points are left out.

    One stencil serves every term with derivatives; the rest of the surface points is evaluated once. Surface points
    take the plain eikonal residual unless ``viscosity.on_surface`` is set.
    """
    count = round(config.sampling.stencil_share * len(batch.surface))
    points = torch.cat([batch.surface[:count], batch.near, batch.uniform])
    both = differentiate(lambda x: field_(x, s.active_levels), points, s.step_size, config.operators.mode)
    on, off = Stencil(*(a[:count] for a in both)), Stencil(*(a[count:] for a in both))
    rest, near = batch.surface[count:], len(batch.near)
    surface = torch.cat([on.sdf, field_(rest, s.active_levels)]) if len(rest) else on.sdf
    on_viscosity = s.viscosity if config.viscosity.on_surface else 0.0
    terms: dict[str, tuple[Tensor, Callable[[], Tensor]]] = {
        "surface": (batch.surface, lambda: losses.surface_loss(surface)),
        "near": (batch.near, lambda: losses.near_loss(off.sdf[:near], batch.near_distance, batch.near_confidence)),
        "inter": (batch.uniform, lambda: losses.inter_loss(off.sdf[near:], config.loss.inter_sharpness)),
        "eikonal_off_surface": (off.sdf, lambda: _eikonal(off, s.viscosity, s.step_size, config.viscosity)),
        "eikonal_surface": (on.sdf, lambda: _eikonal(on, on_viscosity, s.step_size, config.viscosity)),
        "normal": (on.sdf, lambda: losses.normal_loss(on.gradient, batch.normals[:count], batch.confidence[:count])),
    }
    return {name: term() for name, (over, term) in terms.items() if len(over) and getattr(config.loss, name)}


def _eikonal(stencil: Stencil, epsilon: float, step: float, config: ViscosityConfig) -> Tensor:
    return losses.residual_loss(losses.viscous_eikonal_residual(stencil, epsilon, config, step), config.power)


def train_step(state: TrainState, s: StepSettings, config: FitConfig) -> Tensor:
    """One optimiser step; returns the detached terms in the order of `TERMS` (0 where absent), on the device."""
    batch = state.sampler.draw()
    terms = loss_terms(state.field, batch, s, config)
    total = torch.stack([getattr(config.loss, name) * value for name, value in terms.items()]).sum()
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    if config.training.gradient_clip:
        torch.nn.utils.clip_grad_norm_(state.field.parameters(), config.training.gradient_clip)
    for group in state.optimizer.param_groups:
        group["lr"] = group["base_rate"] * s.rate_factor
    state.optimizer.step()
    zero = total.new_zeros(())
    return torch.stack([terms.get(name, zero).detach() for name in TERMS])


def train(
    state: TrainState,
    config: FitConfig,
    on_progress: Callable[[Progress], None],
    on_checkpoint: Callable[[TrainState], None],
    should_stop: Callable[[], bool],
) -> None:
    """Runs the remaining steps of a state, in place.

    Args:
        state: fresh or resumed.
        config: resolved configuration.
        on_progress: called every ``log_every`` steps and after the last.
        on_checkpoint: called about every ``checkpoint_every_s`` seconds, between steps.
        should_stop: asked at every reading; True ends the loop early, between two steps.

    Raises:
        TrainingError: at the first reading after a term became non-finite, naming the step and the term.
        UnsupportedDerivative: if the backend cannot train this operator mode.
    """
    training = config.training
    assert training.steps is not None
    require_mode(config.operators.mode, state.field.backend.info)
    began, before = time.monotonic(), state.seconds
    saved = began
    recent: list[Tensor] = []
    while state.step < training.steps:
        s = step_settings(state.step, state.field, config)
        recent.append(train_step(state, s, config))
        state.step += 1
        if len(recent) < training.log_every and state.step < training.steps:
            continue
        values = torch.stack(recent).double().cpu()
        _require_finite(values, state.step - len(recent))
        recent.clear()
        state.seconds = before + time.monotonic() - began
        terms = dict(zip(TERMS, values.mean(0).tolist(), strict=True))
        state.history.append({"step": state.step, **terms, **s._asdict()})
        on_progress(Progress(state.step, training.steps, terms, s, state.seconds))
        if time.monotonic() - saved > training.checkpoint_every_s:
            on_checkpoint(state)
            saved = time.monotonic()
        if should_stop():
            return


def _require_finite(values: Tensor, first_step: int) -> None:
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        raise TrainingError(
            f"loss term '{TERMS[column]}' became {values[row, column].item()} at step {first_step + row}; "
            f"try smaller learning rates (--set training.rate.grid=1e-3) or --set training.gradient_clip=10"
        )
