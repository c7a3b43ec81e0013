# SPDX-License-Identifier: MIT
"""A field trained on one backend is the same field on every other, and its training can resume there."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import fastsdf
from fastsdf.config.loading import load_config
from fastsdf.errors import BackendUnavailable, ConfigError
from fastsdf.field.backends import selection as registry
from fastsdf.field.backends import tiny_cuda_nn
from fastsdf.field.backends.selection import load_backend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import FieldSpec, HashGridSDF
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training.checkpoint import read_checkpoint, resume_session, save_session
from fastsdf.training.loop import train
from fastsdf.training.session import start_fit
from tests.helpers import fake_tinycudann
from tests.helpers.tiny_room import SETTINGS, coloured_room

NAMES = ("torch", "numba", "tcnn")
STEPS = 4


@pytest.fixture(scope="module", autouse=True)
def stand_in() -> Iterator[None]:
    """A tiny-cuda-nn that runs on the CPU, and small pools of points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tinycudann", fake_tinycudann)
        patch.setattr(registry, "probe_tiny_cuda_nn", lambda: "")
        backend = tiny_cuda_nn.TinyCudaNNBackend
        patch.setattr(backend, "info", dataclasses.replace(backend.info, devices=("cpu",)))
        patch.setattr("fastsdf.training.disc_targets.POOL_RANGE", (4000, 8000))
        tiny_cuda_nn.native_encoding.cache_clear()
        yield
    tiny_cuda_nn.native_encoding.cache_clear()


def _config(backend: str) -> fastsdf.FitConfig:
    """The tiny fit of a few steps, unfinished after half of them."""
    settings = {**SETTINGS, "training__steps": 2 * STEPS, "training__log_every": STEPS, "field__voxel_size_m": 0.1}
    return load_config("smoke", **{**settings, "training__warm_start_steps": 2, "backend": backend})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """Run folders of interrupted fits, by the backend that trained them."""
    folders = {}
    for name in NAMES:
        config = _config(name)
        session = start_fit(prepare_scan(coloured_room(), config), config)
        assert session.state.field.backend.info.name == name
        train(session.state, session.config, lambda p: None, lambda s: None, lambda: True)
        folders[name] = RunFolder(tmp_path_factory.mktemp(name))
        save_session(session, folders[name].checkpoint, finished=False)
    return folders


@pytest.mark.parametrize("trained_on", NAMES)
def test_the_field_is_the_same_on_every_backend(runs: dict[str, RunFolder], trained_on: str) -> None:
    content = read_checkpoint(runs[trained_on].checkpoint)
    spec = FieldSpec.from_state(content["spec"])
    x = 2 * torch.rand((500, 3), generator=torch.Generator().manual_seed(0)) - 1
    values = {}
    for name in NAMES:
        field = HashGridSDF(spec, load_backend(name), torch.Generator())
        field.load_state_dict(content["weights"])
        values[name] = field(x, float(spec.grid.num_levels)).detach()
    assert values["torch"].std() > 0.05
    for name in NAMES:
        torch.testing.assert_close(values[name], values["torch"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("trained_on", NAMES)
@pytest.mark.parametrize("resumed_on", NAMES)
def test_training_goes_on_on_another_backend(
    runs: dict[str, RunFolder], tmp_path: Path, trained_on: str, resumed_on: str
) -> None:
    content = read_checkpoint(runs[trained_on].checkpoint)
    assert content["step"] == STEPS
    content["config"]["backend"] = resumed_on
    torch.save(content, tmp_path / "checkpoint.pt")
    session = resume_session(RunFolder(tmp_path))
    assert session.state.field.backend.info.name == resumed_on
    train(session.state, session.config, lambda p: None, lambda s: None, lambda: False)
    losses = [reading["surface"] for reading in session.state.history]
    assert session.state.step == 2 * STEPS and losses[1] < 2 * losses[0]


def test_a_table_that_would_mean_another_field_says_so(runs: dict[str, RunFolder], tmp_path: Path) -> None:
    """A run of torch whose grid tiny-cuda-nn rounds differently: an error by name, another backend for ``auto``."""
    content = read_checkpoint(runs["torch"].checkpoint)
    grid = GridSpec(21, 2, log2_table_size=18, base_resolution=2, finest_resolution=58)
    content["spec"]["grid"] = dataclasses.asdict(grid)
    content["config"]["backend"] = "tcnn"
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(
        BackendUnavailable, match=r"'tcnn' rounds resolutions of this grid differently.*--backend torch"
    ):
        resume_session(RunFolder(tmp_path))
    content["config"]["backend"] = "auto"
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(RuntimeError, match="size mismatch"):  # got past the choice of a backend
        resume_session(RunFolder(tmp_path))


def test_a_fit_resumes_on_another_type_of_device(runs: dict[str, RunFolder], tmp_path: Path) -> None:
    """A CPU cannot restore the state of a GPU's generator; samples are then drawn from a new seed."""
    content = read_checkpoint(runs["torch"].checkpoint)
    content["config"]["device"], content["generator"] = "cuda", torch.zeros(16, dtype=torch.uint8)
    torch.save(content, tmp_path / "checkpoint.pt")
    sessions = [resume_session(RunFolder(tmp_path), "cpu") for _ in range(2)]
    draws = [session.state.sampler.draw().surface for session in sessions]
    assert sessions[0].device == "cpu" and sessions[0].config.device == "cpu" and torch.equal(*draws)
    train(sessions[0].state, sessions[0].config, lambda p: None, lambda s: None, lambda: False)
    assert sessions[0].state.step == 2 * STEPS
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device 'cuda' is not available"):
            resume_session(RunFolder(tmp_path))


def test_an_unfinished_field_leaves_out_its_locked_levels(runs: dict[str, RunFolder], tmp_path: Path) -> None:
    content = read_checkpoint(runs["torch"].checkpoint)
    grid = content["spec"]["grid"]
    first = content["config"]["training"]["levels"]["first"]
    content["config"]["training"]["levels"]["unlock_end"] = 1.0
    torch.save(content, tmp_path / "checkpoint.pt")
    field = FittedField.load(tmp_path, "cpu")
    half = first + 0.5 * (grid["num_levels"] - first)  # after half of the steps
    assert field.levels == pytest.approx(half)
    noisy = dataclasses.replace(field, levels=float(grid["num_levels"]))
    with torch.no_grad():  # what no step has touched must not show
        field.field.table[field.field.spec.grid.offsets[-2] :] += 100.0
    points = field.transform.to_world(np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3)))
    assert np.abs(field.sdf(points)).max() < 10 and np.abs(noisy.sdf(points) - field.sdf(points)).max() > 1
    content["step"] = content["config"]["training"]["steps"]
    torch.save(content, tmp_path / "checkpoint.pt")
    assert FittedField.load(tmp_path, "cpu").levels == grid["num_levels"]
