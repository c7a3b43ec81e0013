# SPDX-License-Identifier: MIT
"""On a CUDA device: the fused field and losses against torch in float64, and steps that are replayed as graphs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import fastsdf
from fastsdf.config.loading import load_config
from fastsdf.field.backends.selection import load_backend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import HashGridSDF
from fastsdf.io import read_mesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training.adam import Adam, adam_update
from fastsdf.training.backend_kernels import adam_update_for, fused_losses
from fastsdf.training.captured_steps import CapturedSteps
from fastsdf.training.checkpoint import read_checkpoint
from fastsdf.training.loop import train
from fastsdf.training.losses import TERMS
from fastsdf.training.session import Session, start_fit
from fastsdf.training.step import step_settings, train_step
from tests.helpers.adam_cases import adam_steps
from tests.helpers.cli_runs import run, write_scan
from tests.helpers.field_cases import Case, error, field_for, in_float64, outputs_and_gradients
from tests.helpers.loss_cases import LOSS_CASES, losses_and_gradients, reference
from tests.helpers.tiny_room import SETTINGS, coloured_room

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

SHAPE = {"log2_table_size": 19, "base_resolution": 16, "finest_resolution": 650}
ROOM = Case(count=4097, others=1025, width=64, step=1.25 / 650, levels=13)
CASES = {
    "half a cell, faded": ROOM._replace(fade=0.7, levels=12),
    "many cells": ROOM._replace(step=1 / 32),
    "no points": ROOM._replace(count=0),
    "one point": ROOM._replace(count=1, others=0),
    "outside the cube": ROOM._replace(reach=1.252),
    "two layers": ROOM._replace(layers=2, step=1 / 256),
    "four features": ROOM._replace(layers=2, features=4, step=1 / 256),
}
"""All of one width, since each shape of a network is compiled anew."""
LARGE = GridSpec(16, 2, log2_table_size=19, base_resolution=16, finest_resolution=2048)


@pytest.fixture(autouse=True)
def _small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastsdf.training.disc_targets.POOL_RANGE", (4000, 8000))


@pytest.mark.parametrize("name", CASES)
def test_the_fused_field_agrees_with_the_reference(name: str) -> None:
    case = CASES[name]
    field = field_for(case, load_backend("triton"), GridSpec(13, case.features, **SHAPE)).cuda()
    expected = outputs_and_gradients(in_float64(field), case)
    for key, found in outputs_and_gradients(field, case).items():
        assert error(found, expected[key]) < (3e-6 if key in ("sdf", "others") else 1e-3), key


@pytest.mark.parametrize("step", [1.25 / 2048, 1 / 256])
def test_a_large_field_agrees_with_the_reference(step: float) -> None:
    """Positions on the finest level are rounded by 6e-5 of a cell, so u by more than on the coarser grid."""
    case = ROOM._replace(step=step, levels=16, layers=2)
    field = field_for(case, load_backend("triton"), LARGE).cuda()
    expected = outputs_and_gradients(in_float64(field), case)
    for key, found in outputs_and_gradients(field, case).items():
        assert error(found, expected[key]) < (1e-5 if key in ("sdf", "others") else 1.5e-3), key


@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("size", [0, 1, 1023, 1_000_003])
def test_adam_agrees_with_the_reference(size: int, decays: bool) -> None:
    found = adam_steps(size, adam_update_for(load_backend("triton").info), device="cuda", decays=decays)
    for a, b in zip(found, adam_steps(size, adam_update, torch.float64, decays=decays), strict=True):
        torch.testing.assert_close(a.double().cpu(), b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["default", "signed, squares", "no near points", "no viscosity"])
def test_the_fused_losses_agree_with_the_reference(name: str) -> None:
    def fused(*arguments):
        moved = [a.cuda() if isinstance(a, torch.Tensor) else a for a in arguments]
        moved[3] = type(moved[3])(*(a.cuda() for a in moved[3]))
        return (a.cpu() for a in fused_losses(*moved))  # pyright: ignore

    expected = losses_and_gradients(LOSS_CASES[name], reference, torch.float64)
    for key, found in losses_and_gradients(LOSS_CASES[name], fused).items():
        torch.testing.assert_close(found.double().reshape(expected[key].shape), expected[key], rtol=2e-5, atol=1e-6)


ASSIGNMENTS = [f"{name.replace('__', '.')}={value}" for name, value in SETTINGS.items() if name != "device"]


def _session(*assignments: str, backend: str = "triton") -> Session:
    config = load_config(None, (), [*ASSIGNMENTS, *assignments], device="cuda", backend=backend)
    return start_fit(prepare_scan(coloured_room(), config), config)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_replayed_steps_are_the_steps(end: float) -> None:
    """Each from the same state, through the unlocking of levels; sums by atomics differ in the last bits."""
    assignments = (f"training.levels.unlock_end={end}", "training.steps=30", "training.warm_start_steps=0")
    by_python, replayed = _session(*assignments), _session(*assignments)
    state, steps = by_python.state, CapturedSteps(replayed.state, replayed.config)
    for i in range(30):
        expected = train_step(state, step_settings(i, state.field, by_python.config), by_python.config)
        torch.testing.assert_close(steps(i), expected, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(replayed.state.field.table, state.field.table, rtol=0, atol=2e-2)
        _put(state.optimizer, replayed.state.optimizer)


@torch.no_grad()
def _put(source: Adam, target: Adam) -> None:
    """Copies the weights and moments of one optimiser to another."""
    for new, old in zip(target.params, source.params, strict=True):
        new.copy_(old)
    for new, old in zip(target.moments, source.moments, strict=True):
        for a, b in zip(new, old, strict=True):
            a.copy_(b)


def test_triton_takes_the_course_of_the_reference() -> None:
    """From the same start by the same points; the differences of float16 are all that drives them apart."""
    readings = []
    for backend in ("triton", "torch"):
        fit = _session("training.warm_start_steps=0", backend=backend)
        train(fit.state, fit.config, lambda _: None, lambda _: None, lambda: False)
        readings.append([[reading[name] for name in TERMS] for reading in fit.state.history])
    assert len(readings[0]) == 3
    np.testing.assert_allclose(*readings, rtol=0.1, atol=1e-3)


def test_a_fit_by_triton_serves_every_backend(tmp_path: Path) -> None:
    cloud, folder = coloured_room(), tmp_path / "run"
    scan = write_scan(tmp_path, cloud)
    sets = [a for setting in ASSIGNMENTS for a in ("--set", setting)]
    done = run("fit", scan, "-o", folder, "--device", "cuda", *sets)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "run.json").read_text())["backend"] == "triton"
    on_gpu, on_cpu = fastsdf.load(folder, device="cuda"), fastsdf.load(folder, device="cpu")
    query_points = cloud.points[:1000] + 0.03
    np.testing.assert_allclose(on_gpu.sdf(query_points), on_cpu.sdf(query_points), rtol=0, atol=2e-5)
    content = read_checkpoint(RunFolder(folder).checkpoint)
    field = HashGridSDF(on_gpu.field.spec, load_backend("torch"), torch.Generator())
    field.load_state_dict(content["weights"])
    x = 2 * torch.rand((1000, 3), generator=torch.Generator().manual_seed(0)) - 1
    levels = float(field.spec.grid.num_levels)
    with torch.no_grad():
        torch.testing.assert_close(on_gpu.field(x.cuda(), levels).cpu(), field(x, levels), rtol=0, atol=1e-5)
    assert len(read_mesh(folder / "mesh.ply").faces) > 100
