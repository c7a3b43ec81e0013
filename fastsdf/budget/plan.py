# SPDX-License-Identifier: MIT
"""Budgets of time and memory for a whole command: checked early, turned into settings, and reported."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from fastsdf.budget.calibration import measure_speed, measure_step, measure_value
from fastsdf.budget.memory import GIB, MemoryPlan, Sizes, least_bytes, plan_memory, prepare_bytes
from fastsdf.budget.time import Speed, TimePlan, Work, coarsening_for, least_seconds, plan_time
from fastsdf.config.models import FitConfig, SamplingConfig
from fastsdf.errors import BudgetError
from fastsdf.field.network import FieldSpec
from fastsdf.prepare.prepared_scan import PreparedScan
from fastsdf.system.device import choose_device
from fastsdf.system.memory import release_memory, resident_bytes
from fastsdf.training.disc_targets import pool_size
from fastsdf.training.session import Session, resolve_for, start_fit

ROUGH_S, ROUGH_S_PER_POINT = 6.0, 4e-5  # from a scan in memory to its mesh, at the very least
READINGS = 20

Row = tuple[str, Any, str]


@dataclass(frozen=True)
class Limits:
    """Budgets of a command; None: none.

    Attributes:
        time_s: seconds from its start to its end.
        memory_bytes: peak resident memory.
    """

    time_s: float | None = None
    memory_bytes: float | None = None


class Plan(NamedTuple):
    """What was chosen for the budgets that there are."""

    time: TimePlan | None = None
    memory: MemoryPlan | None = None


def check_early(limits: Limits, points: int, elapsed_s: float) -> None:
    """Refuses what cannot be, once a scan is read and before it is measured.

    Args:
        limits: the budgets.
        points: of the scan.
        elapsed_s: seconds since the command began.

    Raises:
        BudgetError: a budget is below a rough lower bound.
    """
    least_s = elapsed_s + ROUGH_S + ROUGH_S_PER_POINT * points
    if limits.time_s is not None and limits.time_s < least_s:
        raise BudgetError(
            f"--time-budget of {limits.time_s:g} s cannot be met: {elapsed_s:.1f} s have passed until the scan was "
            f"read, and {points:,} points take about {math.ceil(least_s)} s in all at the very least"
        )
    least_bytes_ = prepare_bytes(resident_bytes(), points)
    if limits.memory_bytes is not None and limits.memory_bytes < least_bytes_:
        raise BudgetError(
            f"--memory of {limits.memory_bytes / GIB:.2f} GiB is too little to prepare {points:,} points, which takes "
            f"about {least_bytes_ / GIB:.2f} GiB: give more, or thin the scan"
        )


def start_within(
    prepared: PreparedScan, config: FitConfig, limits: Limits, elapsed_s: Callable[[], float]
) -> tuple[Session, Plan]:
    """A session at step 0 whose settings keep to the budgets.

    Args:
        prepared: the scan.
        config: as asked for; steps, batch, tables, pool and mesh cells that it gives count as wanted.
        limits: the budgets.
        elapsed_s: clock, seconds since the command began.

    Raises:
        BudgetError: a budget cannot be met; says which could.
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
        least = least_bytes(resident, spec, sizes)
        raise BudgetError(
            f"--memory of {budget / GIB:.2f} GiB cannot be met: this scan needs about {least / GIB:.2f} GiB with the "
            f"smallest tables, steps and the coarsest mesh; {resident / GIB:.2f} GiB are taken once it is prepared"
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
        least = math.ceil(least_seconds(elapsed_s(), work, speed, step_s))
        raise BudgetError(
            f"--time-budget of {budget_s:g} s cannot be met: {elapsed_s():.1f} s have passed until training could "
            f"start; the least for this scan on this device is about {least} s"
        )
    return _settled(session, plan), plan


def _settled(session: Session, plan: TimePlan) -> Session:
    """The session with a plan's settings."""
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
    """What is left to do of a session."""
    config, prepared = session.config, session.prepared
    steps, voxel = config.training.steps, config.mesh.voxel_size_m
    assert steps is not None and voxel is not None
    cells = prepared.facts["area_m2"] / voxel**2
    return Work(cells, len(prepared.surface.points), steps, session.device.startswith("cuda"))


def settle_mesh(session: Session, plan: TimePlan, elapsed_s: float) -> tuple[Session, TimePlan]:
    """After training: a coarser mesh than planned where the time left, or the device's speed now, asks for it."""
    config, voxel = session.config, session.config.mesh.voxel_size_m
    assert voxel is not None
    further = coarsening_for(_work(session), Speed(plan.step_s, measure_value(session)), plan.mesh_until_s - elapsed_s)
    if further <= 1.0:
        return session, plan
    mesh = config.mesh.model_copy(update={"voxel_size_m": further * voxel})
    settled = replace(session, config=config.model_copy(update={"mesh": mesh}))
    return settled, replace(plan, coarsening=further * plan.coarsening)


def shrunk(sampling: SamplingConfig, share: float) -> SamplingConfig:
    """A resolved sampling with a share of its points per step."""
    names = ("surface_points", "near_points", "uniform_points")
    counts = zip(names, _counts(sampling), strict=True)
    return sampling.model_copy(update={name: math.ceil(share * count) for name, count in counts})


def _counts(sampling: SamplingConfig) -> tuple[int, int, int]:
    counts = (sampling.surface_points, sampling.near_points, sampling.uniform_points)
    assert None not in counts
    return counts  # type: ignore[return-value]


def plan_rows(plan: Plan) -> list[Row]:
    """A plan as rows of (name, value, unit)."""
    rows: list[Row] = []
    if plan.memory:
        rows += [("predicted peak memory", plan.memory.peak / GIB, "GiB")]
        rows += _chosen_rows(plan.memory.share, plan.memory.coarsening)
        rows += [("table entries per level", 1 << plan.memory.log2_table, "")]
    if plan.time:
        rows += [("predicted time", plan.time.total_s, "s"), ("steps", plan.time.steps, "")]
        rows += [("... of which training", plan.time.train_s, "s"), ("... the mesh", plan.time.mesh_s, "s")]
        rows += _chosen_rows(plan.time.share, plan.time.coarsening)
    return rows


def _chosen_rows(share: float, coarsening: float) -> list[Row]:
    return [("share of the points per step", share, ""), ("mesh cells, times the usual", coarsening, "")]


def plan_report(limits: Limits, plan: Plan) -> dict[str, dict[str, Any]]:
    """Budgets and what was predicted and chosen for them, by budget, for run.json; empty without budgets."""
    report: dict[str, dict[str, Any]] = {}
    if plan.time:
        figures = ("elapsed_s", "step_s", "train_s", "mesh_s", "rest_s")
        report["time"] = {
            "budget_s": limits.time_s,
            "predicted_s": round(plan.time.total_s, 2),
            "planned_steps": plan.time.steps,
            **{name: round(getattr(plan.time, name), 4) for name in figures},
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
    """Adds what came of it to a `plan_report`: seconds of the command, steps taken, peak memory of the process."""
    if "time" in report:
        report["time"] |= {"actual_s": round(seconds, 2), "steps": steps}
    if "memory" in report:
        report["memory"] |= {"actual_gib": peak_gib}
