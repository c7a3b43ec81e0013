# SPDX-License-Identifier: MIT
"""Runs the training loop: steps, logging of the loss, checkpoints. Callbacks do all input and output."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.errors import TrainingError
from fastsdf.field.backends.selection import require_mode
from fastsdf.training.captured_steps import CapturedSteps, can_capture
from fastsdf.training.losses import TERMS
from fastsdf.training.step import StepSettings, TrainState, step_settings, train_step

# Values of a step that run.json and the curves keep beside the losses.
LOGGED = ("progress", "active_levels", "step_size", "viscosity", "rate_factor")


@dataclass(frozen=True)
class Progress:
    """Report of the loop every ``log_every`` steps.

    Attributes:
        step: steps taken so far.
        total: planned number of steps.
        terms: unweighted loss terms by name, means over the steps since the last report.
        settings: scheduled values of the last step.
        seconds: training time so far.
    """

    step: int
    total: int
    terms: dict[str, float]
    settings: StepSettings
    seconds: float


def train(
    state: TrainState,
    config: FitConfig,
    on_progress: Callable[[Progress], None],
    on_checkpoint: Callable[[TrainState], None],
    should_stop: Callable[[], bool],
    replan: Callable[[int], int] | None = None,
) -> FitConfig:
    """Runs the remaining steps of a state, in place.

    Args:
        state: new or resumed.
        config: resolved configuration.
        on_progress: called every ``log_every`` steps and after the last step.
        on_checkpoint: called about every ``checkpoint_every_s`` seconds, between steps.
        should_stop: called after every progress report; True ends the loop early.
        replan: called before the first step and after every progress report with the number of steps taken; returns the
            total number of steps, which is limited to that of ``config``. The schedules are then recomputed for this
            number (`fastsdf.budget.time.Pacer`).

    Returns:
        The configuration with the total number of steps that was planned last.

    Raises:
        TrainingError: at the first progress report after a term became non-finite; names the step and the term.
        UnsupportedDerivative: if the backend cannot train this operator mode.
    """
    require_mode(config.operators.mode, state.field.backend.info)
    started_at, seconds_before = time.monotonic(), state.seconds
    saved_at = started_at
    steps = _Steps(state, config, replan)
    recent: list[Tensor] = []
    while state.step < steps.total:
        recent.append(steps.run(state.step))
        state.step += 1
        if len(recent) < config.training.log_every and state.step < steps.total:
            continue
        values = torch.stack(recent).double().cpu()
        _require_finite(values, state.step - len(recent))
        recent.clear()
        state.seconds = seconds_before + time.monotonic() - started_at
        terms = dict(zip(TERMS, values.mean(0).tolist(), strict=True))
        s = step_settings(state.step - 1, state.field, steps.config)
        state.history.append({"step": state.step, **terms, **{name: getattr(s, name) for name in LOGGED}})
        on_progress(Progress(state.step, steps.total, terms, s, state.seconds))
        if time.monotonic() - saved_at > config.training.checkpoint_every_s:
            on_checkpoint(state)
            saved_at = time.monotonic()
        if should_stop():
            break
        steps.replan()
    return steps.config


class _Steps:
    """The planned number of steps, and the function that takes them.

    Attributes:
        config: resolved configuration with the planned number of steps.
        total: planned number of steps.
        run: takes the step with a given number and returns its loss terms.
    """

    def __init__(self, state: TrainState, config: FitConfig, replan: Callable[[int], int] | None):
        assert config.training.steps is not None
        self.config, self.total = config, config.training.steps
        self._state, self._replan, self._max_total = state, replan, self.total
        self.run = step_runner(state, config)
        self.replan()

    def replan(self) -> None:
        """Updates the planned number of steps and recomputes the schedules; captured graphs are kept."""
        if self._replan is None:
            return
        total = max(min(self._replan(self._state.step), self._max_total), 1)
        if total == self.total:
            return
        self.config, self.total = with_steps(self.config, total), total
        if isinstance(self.run, CapturedSteps):
            self.run.reschedule(self.config)
        else:
            self.run = step_runner(self._state, self.config)


def step_runner(state: TrainState, config: FitConfig) -> Callable[[int], Tensor]:
    """The function that takes the step with a given number and returns its loss terms; by CUDA graphs if possible."""
    if can_capture(state, config):
        return CapturedSteps(state, config)
    return lambda step: train_step(state, step_settings(step, state.field, config), config)


def with_steps(config: FitConfig, steps: int) -> FitConfig:
    """A copy of a configuration with another number of training steps."""
    return config.model_copy(update={"training": config.training.model_copy(update={"steps": steps})})


def _require_finite(values: Tensor, first_step: int) -> None:
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        raise TrainingError(
            f"loss term '{TERMS[column]}' became {values[row, column].item()} at step {first_step + row}; "
            f"try smaller learning rates (--set training.rate.grid=1e-3) or --set training.gradient_clip=10"
        )
