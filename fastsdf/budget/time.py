# SPDX-License-Identifier: MIT
"""What fits into a time budget: a model of the stages after preparing, the plan it gives, and the pace of training.

The seconds up to the end of the start are those that passed. A training step and one value of the
field are timed on the device itself (`fastsdf.budget.calibration`); a mesh takes a fixed number of values per cell of
the surface.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

MIN_STEPS = 100  # fewer leave no surface worth a mesh
FEW_STEPS = 500  # fewer take smaller batches
SHARES = (1.0, 0.5, 0.25)  # of the points of a step that may be taken
MAX_STEPS_FACTOR = 2.0  # longer training than this times the usual buys nothing that was measured
MAX_COARSENING = 4.0  # of the mesh's cells
MESH_SHARE = 0.35  # of the time left that a mesh at full resolution may take
VALUES_PER_CELL = 50.0  # of the field for a cell of the surface, and what judging it takes, in such values
VALUES_PER_CHECK = 16.0  # for a point whose distance to the surface is checked
CHECKED_POINTS = 500_000
CUDA_CELLS_PER_S = 5e5  # a GPU's mesh is bound by other things than values of the field
FIXED_S = 1.0  # checkpoint, files, the interpreter's end
MARGIN_SHARE = 0.03


class Speed(NamedTuple):
    """Seconds of a training step at full batch, and of one value of the field."""

    step_s: float
    value_s: float


class Work(NamedTuple):
    """What a scan asks for.

    Attributes:
        cells: cells of the mesh that its surface touches.
        points: points of the scan.
        steps: training steps wanted.
        cuda: whether a GPU does it.
    """

    cells: float
    points: int
    steps: int
    cuda: bool = False


@dataclass(frozen=True)
class TimePlan:
    """What a budget was divided into.

    Attributes:
        budget_s: seconds from the start of the command to its end.
        elapsed_s: of these passed before the plan was made.
        steps: training steps that are expected to fit.
        most_steps: that may be taken if they turn out to be quicker.
        share: of the usual points per step.
        coarsening: of the mesh's cells.
        step_s: predicted seconds of a step.
        mesh_s: predicted seconds of the mesh.
        rest_s: predicted seconds of checks, files and the end.
    """

    budget_s: float
    elapsed_s: float
    steps: int
    most_steps: int
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
        """When the mesh must be there, in seconds from the start of the command."""
        return self.budget_s * (1.0 - MARGIN_SHARE) - self.rest_s

    @property
    def train_until_s(self) -> float:
        """When training must end, in seconds from the start of the command."""
        return self.mesh_until_s - self.mesh_s


def mesh_seconds(work: Work, speed: Speed, coarsening: float = 1.0) -> float:
    """Predicted seconds of a mesh whose cells are ``coarsening`` times the wanted ones."""
    cells = work.cells / coarsening**2
    return cells / CUDA_CELLS_PER_S if work.cuda else cells * VALUES_PER_CELL * speed.value_s


def coarsening_for(work: Work, speed: Speed, allowed_s: float) -> float:
    """How much coarser a mesh must be to take no longer than allowed, from 1 to `MAX_COARSENING`."""
    return min(max(math.sqrt(mesh_seconds(work, speed) / max(allowed_s, 1e-9)), 1.0), MAX_COARSENING)


def rest_seconds(work: Work, speed: Speed) -> float:
    """Predicted seconds of what follows the mesh."""
    return FIXED_S + VALUES_PER_CHECK * min(work.points, CHECKED_POINTS) * speed.value_s


def least_seconds(elapsed_s: float, work: Work, speed: Speed, step_s: Callable[[float], float]) -> float:
    """The smallest budget (s) that would do; ``step_s`` gives the seconds of a step at a share of its points."""
    training = MIN_STEPS * step_s(SHARES[-1])
    mesh = mesh_seconds(work, speed, MAX_COARSENING)
    return (elapsed_s + training + mesh + rest_seconds(work, speed)) / (1.0 - MARGIN_SHARE)


def plan_time(
    budget_s: float, elapsed_s: float, work: Work, speed: Speed, step_s: Callable[[float], float]
) -> TimePlan | None:
    """Divides what is left of a budget; None: it is less than `least_seconds`.

    The mesh is made coarser until it takes at most `MESH_SHARE` of the time left; training gets the rest, at most twice
    the steps wanted. Where fewer than `FEW_STEPS` fit, steps get fewer points.

    Args:
        budget_s: seconds for the whole command.
        elapsed_s: seconds that have passed.
        work: what the scan asks for.
        speed: of this device.
        step_s: seconds of a step at a share of its points; asked only for the shares that are considered.
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
            most = round(MAX_STEPS_FACTOR * work.steps)
            return TimePlan(budget_s, elapsed_s, min(steps, most), most, share, coarsening, seconds, mesh, rest)
    return None


class Pacer:
    """Keeps a training loop to its time: how many steps its schedules should be laid out for, asked again and again.

    The answer follows the time that recent steps took, so that rates and viscosity reach their end when the time does.
    It grows in the first half of the training only, when nothing has been annealed yet.

    Args:
        until_s: when training must end, on the clock.
        steps: expected to fit; the first answer.
        most: steps at most.
        clock: seconds, increasing.

    Attributes:
        steps: the last answer.
    """

    def __init__(self, until_s: float, steps: int, most: int, clock: Callable[[], float]):
        self._until_s, self._most, self._clock = until_s, most, clock
        self.steps = steps
        self._readings: list[tuple[int, float]] = []

    def __call__(self, step: int) -> int:
        """Steps in all, for a loop that has taken ``step`` of them."""
        now = self._clock()
        self._readings = [*self._readings[-4:], (step, now)]
        before, then = self._readings[0]
        if step > before and now > then:
            left = (self._until_s - now) * (step - before) / (now - then)
            most = self._most if 2 * step < self.steps else self.steps
            self.steps = min(most, step + max(math.floor(left), 0))
        return self.steps
