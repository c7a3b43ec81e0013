# SPDX-License-Identifier: MIT
"""Measures how fast this device trains and evaluates a field, by timing a few steps and evaluations."""

import copy
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fastsdf.budget.time import Speed
from fastsdf.config.models import FitConfig
from fastsdf.system.device import synchronize
from fastsdf.training.loop import step_runner
from fastsdf.training.session import Session
from fastsdf.training.step import TrainState

WARM_STEPS = 3  # untimed steps that compile kernels and fill caches
TIMED_STEPS = 8  # steps whose mean time counts; chosen to take well under a second on a GPU
VALUES = 1 << 16  # field values per timed evaluation
VALUE_ROUNDS = 7  # evaluations, of which the median counts: other programs may use the device for a moment


def measure_speed(session: Session) -> Speed:
    """Measures the seconds per training step and per field value of a session; the session does not change."""
    return Speed(measure_step(session, session.config), measure_value(session))


def measure_step(session: Session, config: FitConfig) -> float:
    """Measures the seconds of a training step under a resolved configuration, with all levels active."""
    training = config.training
    levels = training.levels.model_copy(update={"unlock_end": 0.0})
    short = training.model_copy(update={"levels": levels, "steps": WARM_STEPS + TIMED_STEPS})
    config = config.model_copy(update={"training": short})
    with _undone(session.state):
        session.state.sampler.set_counts(config.sampling)
        run_step = step_runner(session.state, config)
        for step in range(WARM_STEPS):
            run_step(step)
        synchronize(session.device)
        began = time.monotonic()
        for step in range(WARM_STEPS, WARM_STEPS + TIMED_STEPS):
            run_step(step)
        synchronize(session.device)
        return (time.monotonic() - began) / TIMED_STEPS


@torch.no_grad()
def measure_value(session: Session) -> float:
    """Measures the seconds per value of a session's field when many are evaluated at once."""
    field, surface = session.state.field, session.prepared.surface
    points = torch.as_tensor(surface.points[: min(VALUES, len(surface.points))])
    x = points.repeat(-(-VALUES // len(points)), 1)[:VALUES].to(field.table.device, field.table.dtype)
    levels = float(field.spec.grid.num_levels)
    field(x, levels)
    seconds = []
    for _ in range(VALUE_ROUNDS):
        synchronize(session.device)
        began = time.monotonic()
        field(x, levels)
        synchronize(session.device)
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds) / VALUES


@contextmanager
def _undone(state: TrainState) -> Iterator[None]:
    """Restores weights, optimiser, random generator and batch size at the end of the block."""
    weights, optimizer = copy.deepcopy(state.field.state_dict()), copy.deepcopy(state.optimizer.state_dict())
    drawn, counts = state.sampler.generator.get_state(), state.sampler.counts
    try:
        yield
    finally:
        state.field.load_state_dict(weights)
        state.optimizer.load_state_dict(optimizer)
        state.sampler.generator.set_state(drawn)
        state.sampler.counts = counts
