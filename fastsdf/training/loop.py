# SPDX-License-Identifier: MIT
"""The training loop: steps, readings of the loss, checkpoints; no input or output of its own."""

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

LOGGED = ("progress", "active_levels", "step_size", "viscosity", "rate_factor")


@dataclass(frozen=True)
class Progress:
    """What a loop reports every ``log_every`` steps: unweighted loss terms and the step's settings."""

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
        state: fresh or resumed.
        config: resolved configuration.
        on_progress: called every ``log_every`` steps and after the last.
        on_checkpoint: called about every ``checkpoint_every_s`` seconds, between steps.
        should_stop: asked at every reading; True ends the loop early, between two steps.
        replan: asked at first and at every reading, given the steps taken: how many there shall be, at most those of
            ``config``. The schedules are laid out anew over them (`fastsdf.budget.time.Pacer`).

    Returns:
        The configuration with the number of steps that there were to be at last.

    Raises:
        TrainingError: at the first reading after a term became non-finite, naming the step and the term.
        UnsupportedDerivative: if the backend cannot train this operator mode.
    """
    require_mode(config.operators.mode, state.field.backend.info)
    began, before = time.monotonic(), state.seconds
    saved = began
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
        state.seconds = before + time.monotonic() - began
        terms = dict(zip(TERMS, values.mean(0).tolist(), strict=True))
        s = step_settings(state.step - 1, state.field, steps.config)
        state.history.append({"step": state.step, **terms, **{name: getattr(s, name) for name in LOGGED}})
        on_progress(Progress(state.step, steps.total, terms, s, state.seconds))
        if time.monotonic() - saved > config.training.checkpoint_every_s:
            on_checkpoint(state)
            saved = time.monotonic()
        if should_stop():
            break
        steps.replan()
    return steps.config


class _Steps:
    """How many steps a loop takes, and what takes the step of a number and returns its terms."""

    def __init__(self, state: TrainState, config: FitConfig, replan: Callable[[int], int] | None):
        assert config.training.steps is not None
        self.config, self.total = config, config.training.steps
        self._state, self._ask, self._most = state, replan, self.total
        self.run = step_runner(state, config)
        self.replan()

    def replan(self) -> None:
        """Asks how many steps there shall be, and lays the schedules out over them; captured graphs are kept."""
        total = self.total if self._ask is None else max(min(self._ask(self._state.step), self._most), 1)
        if total == self.total:
            return
        self.config, self.total = with_steps(self.config, total), total
        if isinstance(self.run, CapturedSteps):
            self.run.reschedule(self.config)
        else:
            self.run = step_runner(self._state, self.config)


def step_runner(state: TrainState, config: FitConfig) -> Callable[[int], Tensor]:
    """What takes the step of a number and returns its terms: replayed graphs where they can be had."""
    if can_capture(state, config):
        return CapturedSteps(state, config)
    return lambda step: train_step(state, step_settings(step, state.field, config), config)


def with_steps(config: FitConfig, steps: int) -> FitConfig:
    """A configuration with another number of training steps."""
    return config.model_copy(update={"training": config.training.model_copy(update={"steps": steps})})


def _require_finite(values: Tensor, first_step: int) -> None:
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        raise TrainingError(
            f"loss term '{TERMS[column]}' became {values[row, column].item()} at step {first_step + row}; "
            f"try smaller learning rates (--set training.rate.grid=1e-3) or --set training.gradient_clip=10"
        )
