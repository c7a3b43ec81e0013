# SPDX-License-Identifier: MIT
"""Budgets: how they are written, what fits into them, and that a loop keeps to its time."""

import json
from pathlib import Path

import pytest
import torch

from fastsdf.budget.calibration import measure_speed, measure_step
from fastsdf.budget.memory import GIB, Sizes, mesh_bytes, min_bytes, plan_memory, prepare_bytes
from fastsdf.budget.plan import Limits, check_early, settle_mesh, start_within
from fastsdf.budget.time import (
    FEW_STEPS,
    MAX_COARSENING,
    MIN_STEPS,
    Pacer,
    Speed,
    TimePlan,
    Work,
    min_seconds,
    plan_time,
)
from fastsdf.config.loading import load_config
from fastsdf.config.models import FitConfig
from fastsdf.config.quantities import parse_duration, parse_memory
from fastsdf.errors import BudgetError, InputError
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training.loop import train
from fastsdf.training.session import Session, start_fit
from tests.helpers.cli_runs import box_room, run, write_scan

SPEED = Speed(step_s=0.05, value_s=2e-7)
WORK = Work(cells=300_000, points=100_000, steps=1500)


def step_s(share: float) -> float:
    return SPEED.step_s * (0.2 + 0.8 * share)


def planned(budget_s: float, elapsed_s: float = 10.0, work: Work = WORK) -> TimePlan | None:
    return plan_time(budget_s, elapsed_s, work, SPEED, step_s)


@pytest.fixture(scope="module")
def session() -> Session:
    config = load_config("smoke", device="cpu", training__warm_start_steps=5)
    return start_fit(prepare_scan(box_room(), config), config)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("2min", 120), ("1.5 h", 5400), (" 30 s ", 30), ("0.5min", 30)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [("800MB", 8e8), ("8GB", 8e9), ("8 GiB", 8 * 2**30), ("1.5GB", 1.5e9), ("8gb", 8e9), ("1TB", 1e12)],
)
def test_amounts_of_memory(text: str, amount: float) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", r"--time-budget is '2'; give a number and a unit, e\.g\. 90s, 2min or 1\.5h"),
        ("2m", r"unknown unit 'm', known are s, min, h"),
        ("2 minutes", r"unknown unit 'minutes'"),
        ("-2min", r"give a number and a unit"),
        ("1e3s", r"give a number and a unit"),
        ("0s", r"give more than 0"),
        ("2min 30s", r"give a number and a unit"),
        ("nans", r"give a number and a unit"),
        ("", r"give a number and a unit"),
    ],
)
def test_bad_durations_are_explained(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_duration(text)


@pytest.mark.parametrize("text", ["8", "8 X", "GB", "8,5GB", "-8GB", "0GB", ""])
def test_bad_amounts_are_explained(text: str) -> None:
    with pytest.raises(InputError, match=r"--memory is '.*'.*800MB, 8GB or 8GiB"):
        parse_memory(text)


@pytest.mark.parametrize("budget_s", [25.0, 40.0, 60.0, 120.0, 1000.0])
def test_a_plan_fits_into_its_budget(budget_s: float) -> None:
    plan = planned(budget_s)
    assert plan is not None and plan.total_s <= budget_s
    assert MIN_STEPS <= plan.steps <= 2 * WORK.steps and 1 <= plan.coarsening <= MAX_COARSENING
    assert plan.train_until_s >= plan.elapsed_s + plan.train_s - 1e-9


def test_small_budgets_take_small_batches_and_coarse_meshes() -> None:
    large, small = planned(200.0), planned(19.0)
    assert large is not None and small is not None
    assert (large.share, large.coarsening) == (1.0, 1.0)
    assert small.share < 1 and small.coarsening > 1
    short = planned(60.0, work=WORK._replace(steps=200))
    assert short is not None and short.share == 1.0 and short.steps < FEW_STEPS  # few steps are what was wanted


def test_what_cannot_be_met_has_a_least_budget_that_can() -> None:
    assert planned(12.0) is None
    least = min_seconds(10.0, WORK, SPEED, step_s)
    assert least > 12.0 and planned(0.99 * least) is None
    assert planned(1.01 * least) is not None


def test_the_pace_follows_the_time_that_steps_take() -> None:
    now = 0.0
    pacer = Pacer(100.0, 1000, 1000, lambda: now)
    assert pacer(0) == 1000
    now = 10.0
    assert pacer(100) == 1000  # as planned
    now = 30.0
    assert 300 < pacer(150) < 700  # slower: fewer
    now = 99.0
    assert 150 < pacer(400) < 420
    now = 101.0
    assert pacer(401) == 401  # the time is over
    now = 20.0
    quick = Pacer(100.0, 1000, 3000, lambda: now)
    assert quick(0) == 1000
    now = 30.0
    assert quick(200) == 1600  # quicker: more
    now = 31.0
    assert quick(700) == 3000
    assert quick(2000) == 3000
    now = 32.0
    assert quick(2500) == 3000  # never more than that
    late = Pacer(100.0, 1000, 3000, lambda: now)
    late(500)
    now = 33.0
    assert late(600) == 1000  # what was annealed stays so


def test_a_loop_ends_in_time_and_its_schedules_with_it(session: Session) -> None:
    now = 0.0

    def step_takes(seconds: float) -> None:
        nonlocal now
        now += seconds

    config = session.config.model_copy(
        update={"training": session.config.training.model_copy(update={"steps": 100, "log_every": 5})}
    )
    pacer = Pacer(30.0, 100, 100, lambda: now)
    ended = train(session.state, config, lambda _: step_takes(5.0), lambda _: None, lambda: False, pacer)
    assert session.state.step == ended.training.steps and 25 <= session.state.step < 45
    assert now <= 35.0
    last = session.state.history[-1]
    assert last["progress"] > 0.85 and last["rate_factor"] < 0.15  # annealed, not cut
    assert [row["progress"] for row in session.state.history] == sorted(r["progress"] for r in session.state.history)


def test_timing_leaves_a_session_as_it_was(session: Session) -> None:
    weights = {name: value.clone() for name, value in session.state.field.state_dict().items()}
    drawn, moments = session.state.sampler.generator.get_state(), session.state.optimizer.moments[0].mean.clone()
    speed = measure_speed(session)
    assert 0 < speed.value_s < speed.step_s < 10
    assert measure_step(session, session.config) > 0
    assert all(torch.equal(value, weights[name]) for name, value in session.state.field.state_dict().items())
    assert torch.equal(session.state.sampler.generator.get_state(), drawn)
    assert torch.equal(session.state.optimizer.moments[0].mean, moments)
    assert sum(session.state.sampler.counts) == 2048


def test_memory_shrinks_what_is_large_until_it_fits(session: Session) -> None:
    spec = session.state.field.spec
    sizes = Sizes(1_000_000, spec.grid.num_entries * 2, 4_000_000, 7168, 3e6)
    roomy = plan_memory(100 * GIB, GIB, spec, sizes)
    assert roomy is not None and (roomy.pool, roomy.coarsening, roomy.share) == (4_000_000, 1.0, 1.0)
    assert roomy.peak == mesh_bytes(GIB, sizes)
    least, peaks = min_bytes(GIB, spec, sizes), []
    for budget in (4 * GIB, 3 * GIB, 2 * GIB, 1.01 * least):
        plan = plan_memory(budget, GIB, spec, sizes)
        assert plan is not None and plan.peak <= budget
        peaks.append(plan.peak)
    assert peaks == sorted(peaks, reverse=True)
    assert plan_memory(0.99 * least, GIB, spec, sizes) is None


def test_what_cannot_be_is_refused_before_and_after_preparing() -> None:
    with pytest.raises(BudgetError, match=r"--time-budget of 1 s cannot be met: .* at least about \d+ s in total"):
        check_early(Limits(time_s=1.0), 100_000, 2.0)
    with pytest.raises(BudgetError, match=r"--memory of 0\.\d+ GiB is too little to prepare 10,000,000 points"):
        check_early(Limits(memory_bytes=5e8), 10_000_000, 2.0)
    check_early(Limits(time_s=60.0, memory_bytes=4e9), 100_000, 2.0)
    config = load_config("smoke", device="cpu", training__warm_start_steps=0)
    prepared = prepare_scan(box_room(), config)
    with pytest.raises(BudgetError, match=r"cannot be met: 50\.0 s had passed .* needs about \d+ s"):
        start_within(prepared, config, Limits(time_s=50.1), lambda: 50.0)
    with pytest.raises(BudgetError, match=r"cannot be met: this scan needs about .* GiB"):
        start_within(prepared, config, Limits(memory_bytes=1e7), lambda: 0.0)


def test_a_plan_sets_steps_batch_tables_and_cells() -> None:
    config = FitConfig.model_validate({"device": "cpu", "training": {"warm_start_steps": 0}})
    prepared = prepare_scan(box_room(), config)
    usual = start_fit(prepared, config)
    session, plan = start_within(prepared, config, Limits(time_s=60.0, memory_bytes=64e9), lambda: 50.0)
    assert plan.time is not None and plan.memory is not None
    assert session.config.training.steps == plan.time.steps < (usual.config.training.steps or 0)
    assert session.config.mesh.voxel_size_m == pytest.approx(
        plan.time.coarsening * (usual.config.mesh.voxel_size_m or 0)
    )
    assert session.state.sampler.counts[0] == session.config.sampling.surface_points
    assert session.config.field.log2_table_size == usual.config.field.log2_table_size


def test_a_mesh_is_made_coarser_when_training_ends_late(session: Session) -> None:
    plan = planned(60.0)
    assert plan is not None
    same, unchanged = settle_mesh(session, plan, 10.0)
    assert same is session and unchanged is plan
    late, settled = settle_mesh(session, plan, plan.mesh_until_s - 1e-6)
    voxels = [s.config.mesh.voxel_size_m or 0 for s in (session, late)]
    assert voxels[1] == pytest.approx(MAX_COARSENING * voxels[0])
    assert settled.coarsening == pytest.approx(MAX_COARSENING * plan.coarsening)


def test_the_command_keeps_to_its_time_and_reports_it(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room())
    done = run("fit", scan, "-o", tmp_path / "run", "--preset", "smoke", "--time-budget", "60s", "--memory", "8GB")
    assert done.returncode == 0, done.stderr
    assert "predicted time" in done.stdout and "predicted peak memory" in done.stdout
    report = json.loads((tmp_path / "run" / "run.json").read_text())
    time, memory = report["budget"]["time"], report["budget"]["memory"]
    assert time["budget_s"] == 60 and time["steps"] == report["steps"] <= time["planned_steps"]
    assert time["actual_s"] > 0 and time["predicted_s"] <= 60
    assert memory["budget_gib"] == pytest.approx(7.451) and memory["actual_gib"] == report["peak_memory_gib"]["host"]


def test_impossible_budgets_end_with_code_2_and_nothing_written(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room())
    for options in (("--time-budget", "1s"), ("--memory", "10MB"), ("--time-budget", "1 fortnight")):
        done = run("fit", scan, "-o", tmp_path / "run", *options)
        assert done.returncode == 2 and options[0] in done.stderr, done.stderr
        assert not (tmp_path / "run").exists()


def test_info_says_what_would_be_chosen(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room())
    json_file = tmp_path / "info.json"
    done = run("info", scan, "--preset", "smoke", "--time-budget", "5min", "--memory", "8GB", "--json", json_file)
    assert done.returncode == 0, done.stderr
    assert "within the budget" in done.stdout and "predicted time" in done.stdout
    budget = json.loads(json_file.read_text())["budget"]
    assert budget["time"]["predicted_s"] <= 300 and budget["memory"]["predicted_gib"] < 8
    assert "actual_s" not in budget["time"]


@pytest.mark.parametrize(
    ("points", "resident", "peak"),  # GiB; scans of docs/notebook/2026-11-25-presets-and-budgets.md, two cores
    [
        (100_000, 0.257, 0.510),
        (300_750, 0.273, 0.660),
        (112_000, 0.261, 0.565),
        (86_135, 0.254, 0.525),
        (112_586, 0.255, 0.534),
        (236_000, 0.388, 0.916),
        (4_200_000, 0.39, 4.182),
    ],
)
def test_preparing_was_never_measured_above_the_model(points: int, resident: float, peak: float) -> None:
    assert peak <= prepare_bytes(resident * GIB, points) / GIB <= 1.5 * peak
