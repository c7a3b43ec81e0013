# SPDX-License-Identifier: MIT
"""Takes one training step: a batch, its scheduled values, its loss terms, and the optimiser.

The scheduled values are numbers, or tensors on the device where steps are replayed as a CUDA graph
(`fastsdf.training.captured_steps`), so that a step does not wait for the host.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.config.training_models import RateConfig, ViscosityConfig
from fastsdf.field.finite_differences import Stencil
from fastsdf.field.network import HashGridSDF, split_levels
from fastsdf.training import losses, schedules
from fastsdf.training.adam import Adam, ParameterGroup
from fastsdf.training.backend_kernels import adam_update_for, fused_losses
from fastsdf.training.losses import TERMS, LossInputs
from fastsdf.training.sampling import Sampler, TrainBatch

Scalar = float | Tensor


class StepSettings(NamedTuple):
    """Scheduled values of one step; the last four may be tensors of one element on the device.

    Attributes:
        progress: share of the training that is done, in [0, 1).
        active_levels: number of grid levels in use, fractional while one fades in.
        level_count: number of levels to evaluate.
        fade: weight of the last of these levels.
        step_size: finite-difference step h, unit frame.
        viscosity: epsilon, unit frame.
        rate_factor: factor on the learning rates.
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
    """Everything that changes during training.

    Attributes:
        field: the field being trained.
        sampler: source of batches.
        optimizer: Adam over the field's parameters.
        step: number of steps taken.
        seconds: time that they took.
        history: logged loss terms and scheduled values.
    """

    field: HashGridSDF
    sampler: Sampler
    optimizer: Adam
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def make_state(field_: HashGridSDF, sampler: Sampler, config: FitConfig) -> TrainState:
    """A training state at step 0, with one learning rate for the grid and one for the network."""
    # 1. Rates: the grid has a rate of its own, because a step updates only few of its entries.
    rates = {"grid": config.training.rate.grid, "network": config.training.rate.network}
    # 2. Decay: entries of fine levels decay the most, so that they hold detail and no noise.
    decays = {"grid": _level_decay(field_, config.training.rate)}
    # 3. Groups: join each group of parameters with its rate and decay, as Adam expects them.
    groups = [
        ParameterGroup(params, rates[name], decays.get(name)) for name, params in field_.parameter_groups().items()
    ]
    # 4. Optimiser: use the Adam step of the field's backend, which is the fastest one on its device.
    optimizer = Adam(groups, adam_update_for(field_.backend.info))
    return TrainState(field_, sampler, optimizer)


def _level_decay(field_: HashGridSDF, rate: RateConfig) -> Tensor | None:
    """Weight decay (n,) of the table's rows, stronger for finer levels; None without decay.

    It leaves to coarse levels what they can represent, and to fine levels only the detail that the points require.
    """
    if not rate.level_decay:
        return None
    grid, table = field_.spec.grid, field_.table
    scales = torch.tensor(grid.scales, dtype=table.dtype, device=table.device)
    decay = rate.level_decay * (scales / scales[-1]) ** rate.level_decay_power
    return decay.repeat_interleave(torch.tensor(grid.sizes, device=table.device))


def step_settings(step: int, field_: HashGridSDF, config: FitConfig) -> StepSettings:
    """The scheduled values of a step.

    Args:
        step: number of steps taken before it.
        field_: the field.
        config: resolved configuration.
    """
    training = config.training
    assert training.steps is not None
    # 1. Progress: express time as a share of the training, so that schedules do not depend on the number of steps.
    t = step / training.steps
    # 2. Levels: unlock the grid from coarse to fine.
    levels = schedules.active_levels(t, field_.spec.grid.num_levels, training.levels)
    # 3. Step size: tie the finite-difference step to the cells of the finest active level, which hold the detail.
    h = field_.step_size(levels, config.operators.step_cells)
    # 4. Viscosity: smooth the field early on, and end at 0, because its solution is biased otherwise.
    epsilon = schedules.viscosity(t, config.viscosity, h)
    # 5. Fade: split the fractional number of levels into whole levels and the weight of the last one.
    count, fade = split_levels(levels, field_.spec.grid.num_levels)
    # 6. Rate: lower the learning rates towards the end, so that the weights settle.
    rate_factor = schedules.rate_factor(t, training.rate)
    return StepSettings(t, levels, count, fade, h, epsilon, rate_factor)


def unlocked_levels(step: int, field_: HashGridSDF, config: FitConfig) -> float:
    """Number of grid levels unlocked after ``step`` steps, fractional while one fades in; all without a schedule."""
    training, num_levels = config.training, field_.spec.grid.num_levels
    if training.steps is None or training.levels.unlock_end is None:
        return float(num_levels)
    return schedules.active_levels(step / training.steps, num_levels, training.levels)


def loss_terms(field_: HashGridSDF, batch: TrainBatch, s: StepSettings, config: FitConfig) -> dict[str, Tensor]:
    """The unweighted loss terms of a batch, by name; terms with weight 0 and terms over no points are left out.

    Surface points have the plain eikonal residual, without viscosity, unless ``viscosity.on_surface`` is set.
    """
    # 1. Points: choose those that need derivatives; further surface points need only u, which is cheaper.
    count = round(config.sampling.stencil_share * len(batch.surface))
    points = torch.cat([batch.surface[:count], batch.near, batch.uniform])
    # 2. Field: evaluate it in one call; one stencil per point serves every term with derivatives.
    both, rest = field_.stencil(
        points, batch.surface[count:], s.level_count, s.fade, s.step_size, config.operators.mode
    )
    # 3. Split: separate points on the surface from those off it, since they have terms of their own.
    on, off = Stencil(*(a[:count] for a in both)), Stencil(*(a[count:] for a in both))
    surface, near = torch.cat([on.sdf, rest]), len(batch.near)
    on_viscosity = s.viscosity if config.viscosity.on_surface else 0.0
    # 4. Terms: name each term and the points that it is a mean over.
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
    # 5. Evaluate: compute only terms that count; a mean over no points would not be a number.
    return {name: term() for name, (over, term) in terms.items() if len(over) and getattr(config.loss, name)}


def _eikonal(stencil: Stencil, epsilon: Scalar, step: Scalar, config: ViscosityConfig) -> Tensor:
    """The eikonal term of the points of a stencil, with viscosity ``epsilon``."""
    return losses.residual_loss(losses.viscous_eikonal_residual(stencil, epsilon, config, step), config.power)


def fused_terms(field_: HashGridSDF, batch: TrainBatch, s: StepSettings, config: FitConfig) -> tuple[Tensor, Tensor]:
    """The weighted total and the unweighted terms (6,) of a batch, computed by a backend with fused kernels.

    The terms are those of `loss_terms`, in the order of `TERMS`.
    """
    points = torch.cat([batch.surface, batch.near, batch.uniform])
    both, _ = field_.stencil(points, points[:0], s.level_count, s.fade, s.step_size)
    epsilon, step = (v if isinstance(v, Tensor) else points.new_full((), v) for v in (s.viscosity, s.step_size))
    targets = (batch.normals, batch.confidence, batch.near_lower, batch.near_upper, batch.near_confidence)
    return fused_losses(*both, LossInputs(*targets, epsilon, step), config.loss, config.viscosity)


def train_step(state: TrainState, s: StepSettings, config: FitConfig) -> Tensor:
    """Takes one optimiser step.

    Args:
        state: training state, changed in place, except for its step count, which the training loop updates.
        s: scheduled values of the step.
        config: resolved configuration.

    Returns:
        The unweighted loss terms (6,) in the order of `TERMS`, detached, on the device; 0 for terms left out.
    """
    # 1. Batch: draw new points on the surface, near it and in the whole box.
    batch = state.sampler.draw()
    # 2. Loss: compare the field with the scan and the eikonal equation, in fused kernels where the backend has them.
    if state.field.fuses(config.operators.mode) and config.sampling.stencil_share == 1.0:
        total, values = fused_terms(state.field, batch, s, config)
    else:
        terms = loss_terms(state.field, batch, s, config)
        total = torch.stack([getattr(config.loss, name) * value for name, value in terms.items()]).sum()
        values = torch.stack([terms.get(name, total.new_zeros(())).detach() for name in TERMS])
    # 3. Gradients: differentiate the weighted total with respect to grid and network.
    grads = torch.autograd.grad(total, state.optimizer.params)
    # 4. Clipping: limit the joint norm, if set, so that one bad batch cannot ruin the weights.
    if config.training.gradient_clip:
        grads = _clipped(grads, config.training.gradient_clip)
    # 5. Update: move the weights against the gradients by Adam.
    state.optimizer.step(grads, s.rate_factor)
    return values


def _clipped(grads: Sequence[Tensor], limit: float) -> list[Tensor]:
    """The gradients scaled so that their joint norm is at most ``limit``."""
    norm = torch.stack([g.norm() for g in grads]).norm()
    factor = (limit / (norm + 1e-12)).clamp_max(1.0)  # 1e-12 guards against division by zero
    return [g * factor for g in grads]
