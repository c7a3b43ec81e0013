# SPDX-License-Identifier: MIT
"""The training loop is repeatable, resumes, stops, rejects non-finite losses, and fits a sphere."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from fastsdf.config.loading import load_config
from fastsdf.config.models import FitConfig
from fastsdf.errors import TrainingError, UnsupportedDerivative
from fastsdf.geometry import PointCloud
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training import losses
from fastsdf.training.checkpoint import resume_session, save_session
from fastsdf.training.loop import Progress, train
from fastsdf.training.session import Session, start_fit
from fastsdf.training.step import TERMS, TrainState, make_state, step_settings, train_step

RADIUS_M = 0.5
CENTER_M = np.array([3.0, -2.0, 1.0])
TINY = (
    "training={steps: 24, warm_start_steps: 10, log_every: 6, levels: {first: 2, unlock_end: 0.5}}",
    "field={num_levels: 4, log2_table_size: 10, base_resolution: 6, hidden_width: 16, voxel_size_m: 0.04}",
    "sampling={surface_points: 128, near_points: 64, uniform_points: 64}",
)


@pytest.fixture(autouse=True, scope="module")
def _first_root() -> None:
    torch.ones(1 << 20).sqrt()  # the first call in a process may round differently


@pytest.fixture(autouse=True)
def _small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastsdf.training.disc_targets.POOL_RANGE", (4000, 8000))


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    """Directions (count, 3), evenly spread."""
    direction = np.random.default_rng(seed).standard_normal((count, 3))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True)


def sphere() -> PointCloud:
    """A ball seen from outside, with its normals."""
    direction = unit_vectors(8000)
    return PointCloud(RADIUS_M * direction + CENTER_M, normals=direction)


def tiny(*assignments: str, backend: str = "torch") -> FitConfig:
    return load_config(None, (), [*TINY, *assignments], scene="object", backend=backend, device="cpu")


def session(config: FitConfig) -> Session:
    return start_fit(prepare_scan(sphere(), config), config)


def run(
    fit: Session,
    reports: list[Progress] | None = None,
    stop_at: int | None = None,
    saved: list[int] | None = None,
) -> TrainState:
    """Trains; keeps the reports, the steps of the checkpoints, and stops at the first reading from ``stop_at`` on."""
    reports, saved = [] if reports is None else reports, [] if saved is None else saved

    def stop() -> bool:
        return stop_at is not None and fit.state.step >= stop_at

    train(fit.state, fit.config, reports.append, lambda state: saved.append(state.step), stop)
    return fit.state


def weights(state: TrainState) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1).double() for p in state.field.parameters()])


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_the_same_seed_gives_the_same_weights(backend: str) -> None:
    one, two = (run(session(tiny(backend=backend))) for _ in range(2))
    assert torch.equal(weights(one), weights(two))  # bit for bit
    assert one.history == two.history
    other = run(session(tiny("seed=1", backend=backend)))
    assert not torch.equal(weights(one), weights(other))


def test_backends_take_the_same_course() -> None:
    """In float64 the order of the sums is all that differs; a few steps do not amplify it much."""
    short = ("precision=float64", "training.steps=6")
    one, two = (run(session(tiny(*short, backend=backend))) for backend in ("torch", "numba"))
    torch.testing.assert_close(weights(one), weights(two), rtol=0, atol=1e-7)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_a_resumed_fit_equals_an_uninterrupted_one(tmp_path, backend: str) -> None:
    whole, cut = (session(tiny(backend=backend)) for _ in range(2))
    run(whole)
    run(cut, stop_at=12)
    assert cut.state.step == 12
    folder = RunFolder(tmp_path)
    save_session(cut, folder.checkpoint, finished=False)
    resumed = resume_session(folder)
    assert resumed.state.step == 12 and resumed.config == cut.config
    run(resumed)
    assert torch.equal(weights(resumed.state), weights(whole.state))  # bit for bit
    assert [h["surface"] for h in resumed.state.history] == [h["surface"] for h in whole.state.history]


def test_readings_follow_the_steps() -> None:
    reports: list[Progress] = []
    state = run(session(tiny("training.steps=20")), reports)
    assert [r.step for r in reports] == [6, 12, 18, 20] == [h["step"] for h in state.history]
    assert all(set(r.terms) == set(TERMS) and r.total == 20 for r in reports)
    assert all(np.isfinite(list(r.terms.values())).all() for r in reports)
    assert [r.seconds for r in reports] == sorted(r.seconds for r in reports) and reports[0].seconds > 0


def test_checkpoints_are_taken_between_steps() -> None:
    saved: list[int] = []
    run(session(tiny("training.checkpoint_every_s=1e-6")), saved=saved)
    assert saved == [6, 12, 18, 24]
    saved.clear()
    run(session(tiny()), saved=saved)
    assert saved == []


@pytest.mark.parametrize(("stop_at", "end"), [(0, 6), (7, 12), (24, 24), (99, 24)])
def test_a_stop_is_heeded_at_the_next_reading(stop_at: int, end: int) -> None:
    state = run(session(tiny()), stop_at=stop_at)
    assert state.step == end == state.history[-1]["step"]
    assert torch.isfinite(weights(state)).all()


@pytest.mark.parametrize(("value", "name"), [(float("nan"), "nan"), (float("inf"), "inf")])
@pytest.mark.parametrize("term", ["normal", "near"])
def test_a_term_that_is_not_finite_is_named_with_its_step(
    monkeypatch: pytest.MonkeyPatch, term: str, value: float, name: str
) -> None:
    calls: list[int] = []
    true_loss = getattr(losses, f"{term}_loss")

    def breaks_at_the_ninth(*args: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return true_loss(*args) * (value if len(calls) == 9 else 1.0)

    monkeypatch.setattr(losses, f"{term}_loss", breaks_at_the_ninth)
    with pytest.raises(TrainingError, match=rf"loss term '{term}' became {name} at step 8; try smaller learning rates"):
        run(session(tiny()))


def test_weights_that_are_not_finite_end_the_training() -> None:
    fit = session(tiny())
    with torch.no_grad():
        fit.state.field.linears[-1].bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"loss term 'surface' became nan at step 0"):
        run(fit)
    assert fit.state.history == []


def test_a_backend_without_the_derivatives_is_refused() -> None:
    fit = session(tiny(backend="numba"))
    config = fit.config.model_copy(update={"operators": fit.config.operators.model_copy(update={"mode": "autograd"})})
    with pytest.raises(UnsupportedDerivative, match="backend 'numba' supports 1"):
        train(fit.state, config, lambda _: None, lambda _: None, lambda: False)
    assert fit.state.step == 0


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_locked_levels_stay_as_they_were(backend: str) -> None:
    fit = session(tiny("training.levels={first: 2, unlock_end: 1.0}", backend=backend))
    state, grid = fit.state, fit.state.field.spec.grid
    before = copy.deepcopy(state.field.table.detach())
    assert step_settings(0, state.field, fit.config).active_levels == 2.0
    train_step(state, step_settings(0, state.field, fit.config), fit.config)
    locked = grid.offsets[2]
    assert torch.equal(state.field.table[locked:], before[locked:])
    assert not torch.equal(state.field.table[:locked], before[:locked])
    run(fit)
    assert not torch.equal(state.field.table[locked : grid.offsets[3]], before[locked : grid.offsets[3]])


def test_rates_of_grid_and_network_are_scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = session(tiny("training.rate={grid: 0.01, network: 0.002, decay_start: 0.5, final: 0.1}"))
    state: Any = make_state(fit.state.field, fit.state.sampler, fit.config)
    assert [(len(g.params), g.rate) for g in state.optimizer.groups] == [(1, 0.01), (4, 0.002)]
    factors: list[Any] = []
    monkeypatch.setattr(state.optimizer, "step", lambda grads, factor: factors.append(factor))
    for step in (0, 12, 18):
        train_step(state, step_settings(step, state.field, fit.config), fit.config)
    assert factors == pytest.approx([1.0, 1.0, 0.55])


def test_an_object_is_found() -> None:
    more = "sampling={surface_points: 256, near_points: 128, uniform_points: 256}"
    training = ("training.steps=300", "training.warm_start_steps=150")  # the start shape decides the sign
    fit = session(tiny(more, *training, "field.log2_table_size=13", backend="numba"))
    run(fit)
    direction = unit_vectors(1000, seed=1)

    def sdf(radius: float) -> np.ndarray:
        return FittedField.from_session(fit).sdf(CENTER_M + radius * direction)

    assert fit.prepared.facts["points_in_box"] > 7950
    assert np.abs(sdf(RADIUS_M)).mean() < 0.002
    assert (sdf(0.35) < 0).mean() > 0.99
    for offset in (-0.05, 0.03, 0.05):
        assert (np.sign(sdf(RADIUS_M + offset)) == np.sign(offset)).mean() > 0.99
        assert sdf(RADIUS_M + offset).mean() == pytest.approx(offset, abs=0.005)
