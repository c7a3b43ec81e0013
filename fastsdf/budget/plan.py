# SPDX-License-Identifier: MIT
"""Checks the budgets of a command, chooses settings that keep within them, and reports the plan."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from fastsdf.budget.calibration import measure_speed, measure_step, measure_value
from fastsdf.budget.memory import GIB, MemoryPlan, Sizes, min_bytes, plan_memory, prepare_bytes
from fastsdf.budget.time import Speed, TimePlan, Work, coarsening_for, min_seconds, plan_time
from fastsdf.config.models import FitConfig, SamplingConfig
from fastsdf.errors import BudgetError
from fastsdf.field.network import FieldSpec
from fastsdf.prepare.prepared_scan import PreparedScan
from fastsdf.system.device import choose_device
from fastsdf.system.memory import release_memory, resident_bytes
from fastsdf.training.disc_targets import pool_size
from fastsdf.training.session import Session, resolve_for, start_fit

# A rough lower bound on the time from a scan in memory to its mesh; refuses only what is clearly impossible.
MIN_FIT_S, MIN_FIT_S_PER_POINT = 6.0, 4e-5  # s, s per scan point
READINGS = 20  # readings of the loss at least, so that the report's curves have enough points

Row = tuple[str, Any, str]


@dataclass(frozen=True)
class Limits:
    """Budgets of a command; None means no limit.

    Attributes:
        time_s: seconds from the start of the command to its end.
        memory_bytes: peak resident memory of the process.
    """

    time_s: float | None = None
    memory_bytes: float | None = None


class Plan(NamedTuple):
    """The plans for the budgets that were given."""

    time: TimePlan | None = None
    memory: MemoryPlan | None = None


def check_early(limits: Limits, points: int, elapsed_s: float) -> None:
    """Refuses budgets that cannot be met, after a scan is read and before it is prepared.

    Args:
        limits: the budgets.
        points: number of points of the scan.
        elapsed_s: seconds since the command began.

    Raises:
        BudgetError: a budget is below a rough lower bound.
    """
    min_s = elapsed_s + MIN_FIT_S + MIN_FIT_S_PER_POINT * points
    if limits.time_s is not None and limits.time_s < min_s:
        raise BudgetError(
            f"--time-budget of {limits.time_s:g} s cannot be met: reading the scan took {elapsed_s:.1f} s, and "
            f"{points:,} points take at least about {math.ceil(min_s)} s in total"
        )
    needed = prepare_bytes(resident_bytes(), points)
    if limits.memory_bytes is not None and limits.memory_bytes < needed:
        raise BudgetError(
            f"--memory of {limits.memory_bytes / GIB:.2f} GiB is too little to prepare {points:,} points, which takes "
            f"about {needed / GIB:.2f} GiB: give more, or thin the scan"
        )


def start_within(
    prepared: PreparedScan, config: FitConfig, limits: Limits, elapsed_s: Callable[[], float]
) -> tuple[Session, Plan]:
    """Returns a session at step 0 whose settings keep within the budgets, and the plan.

    Args:
        prepared: the prepared scan.
        config: settings that the user chose; its steps, batch, tables, pool and mesh cells are upper limits.
        limits: the budgets.
        elapsed_s: clock that returns the seconds since the command began.

    Raises:
        BudgetError: a budget cannot be met; the message names the smallest one that can.
    """
    config, memory = _within_memory(prepared, config, limits.memory_bytes)
    if limits.time_s is None:
        return start_fit(prepared, config), Plan(None, memory)
    session = start_fit(prepared, config)
    session, plan = _within_time(session, limits.time_s, elapsed_s)
    return session, Plan(plan, memory)


def _within_memory(
    prepared: PreparedScan, config: FitConfig, budget: float | None
) -> tuple[FitConfig, MemoryPlan | None]:
    if budget is None:
        return config, None
    device = choose_device(config.device)
    resolved = resolve_for(prepared, config, device)
    spec = FieldSpec.from_config(resolved.field, prepared.transform.half_extent_m)
    release_memory()
    voxel, resident, points = resolved.mesh.voxel_size_m, resident_bytes(), len(prepared.surface.points)
    assert voxel is not None
    sizes = Sizes(
        points,
        spec.grid.num_entries * spec.grid.features_per_level,
        pool_size(points, resolved.sampling.near_pool, device),
        sum(_counts(resolved.sampling)),
        prepared.facts["area_m2"] / voxel**2,
    )
    plan = plan_memory(budget, resident, spec, sizes)
    if plan is None:
        least = min_bytes(resident, spec, sizes)
        raise BudgetError(
            f"--memory of {budget / GIB:.2f} GiB cannot be met: this scan needs about {least / GIB:.2f} GiB with the "
            f"smallest tables, steps and the coarsest mesh; the prepared scan alone takes {resident / GIB:.2f} GiB"
        )
    chosen = {
        "field": resolved.field.model_copy(update={"log2_table_size": plan.log2_table}),
        "sampling": shrunk(resolved.sampling, plan.share).model_copy(update={"near_pool": plan.pool}),
        "mesh": resolved.mesh.model_copy(update={"voxel_size_m": plan.coarsening * voxel}),
    }
    return resolved.model_copy(update=chosen), plan


def _within_time(session: Session, budget_s: float, elapsed_s: Callable[[], float]) -> tuple[Session, TimePlan]:
    config, work, speed = session.config, _work(session), measure_speed(session)
    known = {1.0: speed.step_s}

    def step_s(share: float) -> float:
        if share not in known:
            smaller = config.model_copy(update={"sampling": shrunk(config.sampling, share)})
            known[share] = measure_step(session, smaller)
        return known[share]

    plan = plan_time(budget_s, elapsed_s(), work, speed, step_s)
    if plan is None:
        least = math.ceil(min_seconds(elapsed_s(), work, speed, step_s))
        raise BudgetError(
            f"--time-budget of {budget_s:g} s cannot be met: {elapsed_s():.1f} s had passed when training could "
            f"start; this scan needs about {least} s on this device"
        )
    return _settled(session, plan), plan


def _settled(session: Session, plan: TimePlan) -> Session:
    """Returns the session with the settings of a plan."""
    config = session.config
    voxel = config.mesh.voxel_size_m
    assert voxel is not None
    every = max(min(config.training.log_every, plan.steps // READINGS), 1)
    chosen = {
        "training": config.training.model_copy(update={"steps": plan.steps, "log_every": every}),
        "sampling": shrunk(config.sampling, plan.share),
        "mesh": config.mesh.model_copy(update={"voxel_size_m": plan.coarsening * voxel}),
    }
    settled = config.model_copy(update=chosen)
    session.state.sampler.set_counts(settled.sampling)
    return replace(session, config=settled)


def _work(session: Session) -> Work:
    """The work that remains for a session at step 0."""
    config, prepared = session.config, session.prepared
    steps, voxel = config.training.steps, config.mesh.voxel_size_m
    assert steps is not None and voxel is not None
    cells = prepared.facts["area_m2"] / voxel**2
    return Work(cells, len(prepared.surface.points), steps, session.device.startswith("cuda"))


def settle_mesh(session: Session, plan: TimePlan, elapsed_s: float) -> tuple[Session, TimePlan]:
    """Coarsens the mesh after training if the time left or the present speed of the device requires it."""
    config, voxel = session.config, session.config.mesh.voxel_size_m
    assert voxel is not None
    further = coarsening_for(_work(session), Speed(plan.step_s, measure_value(session)), plan.mesh_until_s - elapsed_s)
    if further <= 1.0:
        return session, plan
    mesh = config.mesh.model_copy(update={"voxel_size_m": further * voxel})
    settled = replace(session, config=config.model_copy(update={"mesh": mesh}))
    return settled, replace(plan, coarsening=further * plan.coarsening)


def shrunk(sampling: SamplingConfig, share: float) -> SamplingConfig:
    """Returns a resolved sampling with a share of its points per step."""
    names = ("surface_points", "near_points", "uniform_points")
    counts = zip(names, _counts(sampling), strict=True)
    return sampling.model_copy(update={name: math.ceil(share * count) for name, count in counts})


def _counts(sampling: SamplingConfig) -> tuple[int, int, int]:
    counts = (sampling.surface_points, sampling.near_points, sampling.uniform_points)
    assert None not in counts
    return counts  # type: ignore[return-value]


def plan_rows(plan: Plan) -> list[Row]:
    """Returns a plan as rows (name, value, unit)."""
    rows: list[Row] = []
    if plan.memory:
        rows += [("predicted peak memory", plan.memory.peak / GIB, "GiB")]
        rows += _chosen_rows(plan.memory.share, plan.memory.coarsening)
        rows += [("table entries per level", 1 << plan.memory.log2_table, "")]
    if plan.time:
        rows += [("predicted time", plan.time.total_s, "s"), ("steps", plan.time.steps, "")]
        rows += [
            ("predicted time of training", plan.time.train_s, "s"),
            ("predicted time of the mesh", plan.time.mesh_s, "s"),
        ]
        rows += _chosen_rows(plan.time.share, plan.time.coarsening)
    return rows


def _chosen_rows(share: float, coarsening: float) -> list[Row]:
    return [("share of the points per step", share, ""), ("factor on the mesh cells", coarsening, "")]


def plan_report(limits: Limits, plan: Plan) -> dict[str, dict[str, Any]]:
    """Returns budgets, predictions and chosen settings for run.json, per budget; empty without budgets."""
    report: dict[str, dict[str, Any]] = {}
    if plan.time:
        times = ("elapsed_s", "step_s", "train_s", "mesh_s", "rest_s")
        report["time"] = {
            "budget_s": limits.time_s,
            "predicted_s": round(plan.time.total_s, 2),
            "planned_steps": plan.time.steps,
            **{name: round(getattr(plan.time, name), 4) for name in times},
            "share_of_points": plan.time.share,
            "mesh_coarsening": round(plan.time.coarsening, 3),
        }
    if plan.memory and limits.memory_bytes:
        report["memory"] = {
            "budget_gib": round(limits.memory_bytes / GIB, 3),
            "predicted_gib": round(plan.memory.peak / GIB, 3),
            "log2_table_size": plan.memory.log2_table,
            "near_pool": plan.memory.pool,
            "share_of_points": plan.memory.share,
            "mesh_coarsening": round(plan.memory.coarsening, 3),
        }
    return report


def add_actual(report: dict[str, dict[str, Any]], seconds: float, steps: int, peak_gib: float) -> None:
    """Adds the measured values to a `plan_report`: seconds of the command, steps taken, peak memory in GiB."""
    if "time" in report:
        report["time"] |= {"actual_s": round(seconds, 2), "steps": steps}
    if "memory" in report:
        report["memory"] |= {"actual_gib": peak_gib}
