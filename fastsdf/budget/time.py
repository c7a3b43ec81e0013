# SPDX-License-Identifier: MIT
"""Predicts the time of a fit, divides a time budget among its stages, and keeps training on schedule.

The time until training starts is measured. The time of a training step and of one field value is measured on the
device (`fastsdf.budget.calibration`). A mesh takes a fixed number of field values per cell of the surface.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

# Measured: see docs/notebook/2026-11-25-presets-and-budgets.md. Others were chosen, not swept.
MIN_STEPS = 100  # training steps; fewer give no usable surface
FEW_STEPS = 500  # training steps; if fewer fit, steps get fewer points
SHARES = (1.0, 0.5, 0.25)  # shares of the points per step that are tried in turn
MAX_STEPS_FACTOR = 2.0  # times the usual steps; longer training improved nothing that was measured
MAX_COARSENING = 4.0  # factor on the edge of the mesh cells, as in `fastsdf.budget.memory`
MESH_SHARE = 0.35  # share of the time left that the mesh may take before its cells are coarsened
VALUES_PER_CELL = 50.0  # field values per cell of the surface, including the time to rate its vertices; measured
VALUES_PER_CHECK = 16.0  # field values per point whose distance to the surface is checked; measured
CHECKED_POINTS = 500_000  # points; largest number that is checked
CUDA_CELLS_PER_S = 5e5  # mesh cells per second on a GPU, where field values do not limit the mesh; measured
FIXED_S = 1.0  # s; checkpoint, files and the end of the interpreter
MARGIN_SHARE = 0.03  # share of the budget that is kept in reserve


class Speed(NamedTuple):
    """Seconds of a training step at full batch, and of one field value."""

    step_s: float
    value_s: float


class Work(NamedTuple):
    """The work of a fit.

    Attributes:
        cells: number of mesh cells that the surface touches.
        points: number of points of the scan.
        steps: number of training steps without a budget.
        cuda: whether a GPU does the work.
    """

    cells: float
    points: int
    steps: int
    cuda: bool = False


@dataclass(frozen=True)
class TimePlan:
    """A time budget divided among the stages of a fit.

    Attributes:
        budget_s: seconds from the start of the command to its end.
        elapsed_s: seconds that had passed when the plan was made.
        steps: training steps that are expected to fit.
        max_steps: largest number of steps, if they turn out to be faster.
        share: share of the usual points per step.
        coarsening: factor on the edge of the mesh cells.
        step_s: predicted seconds per step.
        mesh_s: predicted seconds of the mesh.
        rest_s: predicted seconds of checks, files and the end of the process.
    """

    budget_s: float
    elapsed_s: float
    steps: int
    max_steps: int
    share: float
    coarsening: float
    step_s: float
    mesh_s: float
    rest_s: float

    @property
    def train_s(self) -> float:
        """Predicted seconds of training."""
        return self.steps * self.step_s

    @property
    def total_s(self) -> float:
        """Predicted seconds of the whole command."""
        return self.elapsed_s + self.train_s + self.mesh_s + self.rest_s

    @property
    def mesh_until_s(self) -> float:
        """Seconds from the start of the command by which the mesh must be finished."""
        return self.budget_s * (1.0 - MARGIN_SHARE) - self.rest_s

    @property
    def train_until_s(self) -> float:
        """Seconds from the start of the command by which training must end."""
        return self.mesh_until_s - self.mesh_s


def mesh_seconds(work: Work, speed: Speed, coarsening: float = 1.0) -> float:
    """Predicts the seconds of a mesh whose cells are larger by the factor ``coarsening``."""
    cells = work.cells / coarsening**2
    return cells / CUDA_CELLS_PER_S if work.cuda else cells * VALUES_PER_CELL * speed.value_s


def coarsening_for(work: Work, speed: Speed, allowed_s: float) -> float:
    """Factor on the mesh cells, 1 to `MAX_COARSENING`, with which the mesh takes no longer than allowed."""
    return min(max(math.sqrt(mesh_seconds(work, speed) / max(allowed_s, 1e-9)), 1.0), MAX_COARSENING)


def rest_seconds(work: Work, speed: Speed) -> float:
    """Predicts the seconds of the checks and files after the mesh."""
    return FIXED_S + VALUES_PER_CHECK * min(work.points, CHECKED_POINTS) * speed.value_s


def min_seconds(elapsed_s: float, work: Work, speed: Speed, step_s: Callable[[float], float]) -> float:
    """Returns the smallest budget in seconds that `plan_time` can meet; arguments as there."""
    training = MIN_STEPS * step_s(SHARES[-1])
    mesh = mesh_seconds(work, speed, MAX_COARSENING)
    return (elapsed_s + training + mesh + rest_seconds(work, speed)) / (1.0 - MARGIN_SHARE)


def plan_time(
    budget_s: float, elapsed_s: float, work: Work, speed: Speed, step_s: Callable[[float], float]
) -> TimePlan | None:
    """Divides the time left among training and mesh; returns None if it is less than `min_seconds`.

    The mesh is coarsened until it takes at most `MESH_SHARE` of the time left. Training gets the rest, at most twice
    the usual steps. If fewer than `FEW_STEPS` fit, steps get fewer points.

    Args:
        budget_s: seconds for the whole command.
        elapsed_s: seconds that have passed.
        work: the work of the fit.
        speed: speed of this device.
        step_s: share of the points -> seconds of a step; called only for the shares that are considered.
    """
    rest = rest_seconds(work, speed)
    left = budget_s * (1.0 - MARGIN_SHARE) - elapsed_s - rest
    for coarsening in (coarsening_for(work, speed, MESH_SHARE * left), MAX_COARSENING):
        mesh = mesh_seconds(work, speed, coarsening)
        for share in SHARES:
            seconds = step_s(share)
            steps = math.floor((left - mesh) / seconds)
            if steps >= min(FEW_STEPS, work.steps):
                break
        if steps >= MIN_STEPS:
            max_steps = round(MAX_STEPS_FACTOR * work.steps)
            return TimePlan(
                budget_s, elapsed_s, min(steps, max_steps), max_steps, share, coarsening, seconds, mesh, rest
            )
    return None


class Pacer:
    """Keeps a training loop within its time by adapting the total number of steps that its schedules use.

    The number follows the time that recent steps took, so that learning rates and viscosity reach their final values
    when the time is up. It grows only in the first half of training, before any schedule has begun to fall.

    Args:
        until_s: time on the clock by which training must end.
        steps: number of steps that is expected to fit.
        max_steps: largest number of steps.
        clock: returns increasing seconds.

    Attributes:
        steps: the present total number of steps.
    """

    def __init__(self, until_s: float, steps: int, max_steps: int, clock: Callable[[], float]):
        self._until_s, self._max_steps, self._clock = until_s, max_steps, clock
        self.steps = steps
        self._readings: list[tuple[int, float]] = []

    def __call__(self, step: int) -> int:
        """Returns the total number of steps for a loop that has taken ``step`` of them."""
        now = self._clock()
        self._readings = [*self._readings[-4:], (step, now)]  # the last five readings smooth the speed
        before, then = self._readings[0]
        if step > before and now > then:
            left = (self._until_s - now) * (step - before) / (now - then)
            limit = self._max_steps if 2 * step < self.steps else self.steps
            self.steps = min(limit, step + max(math.floor(left), 0))
        return self.steps
