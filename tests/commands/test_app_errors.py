# SPDX-License-Identifier: MIT
"""Bad input: exit code 2, one clear line, no traceback, nothing written."""

from pathlib import Path

import numpy as np
import pytest

from fastsdf.geometry import PointCloud
from tests.helpers.cli_runs import box_room, run, write_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small scan."""
    return write_scan(tmp_path_factory.mktemp("errors"), box_room(500))


def refused(*arguments: object) -> str:
    """The error message of fastsdf for these arguments."""
    done = run(*arguments)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_missing_scan() -> None:
    assert "does not exist" in refused("fit", "no-such.ply")


def test_not_a_ply(tmp_path: Path) -> None:
    path = tmp_path / "bad.ply"
    path.write_text("this is not a ply file\n")
    assert "bad.ply" in refused("fit", path, "-o", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_points(tmp_path: Path) -> None:
    few = write_scan(tmp_path, PointCloud(np.random.default_rng(0).random((10, 3))))
    assert "at least 100" in refused("fit", few, "-o", tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "training.stepps=5"), "did you mean 'training.steps'"),
        (("--set", "training.steps=-5"), "training.steps"),
        (("--set", "training.steps"), "section.key=value"),
        (("--preset", "no-such"), "give one of handheld-slam"),
        (("--device", "cuda:7"), "not available"),
        (("--backend", "triton", "--device", "cpu"), "--backend"),
        (("--backend", "tcnn", "--device", "cpu"), "backend 'tcnn' runs on cuda, not on cpu"),
        (("--sensor", "1,2"), "three numbers"),
        (("--config", "no-such.yaml"), "no-such.yaml"),
        (("--voxel-size", "-1"), "voxel_size_m"),
        (("--scene", "garden"), "scene"),
    ],
)
def test_bad_options_say_what_to_do(scan: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in " ".join(refused("fit", scan, "-o", tmp_path / "run", *arguments).split())
    assert not (tmp_path / "run").exists()


def test_an_output_folder_that_cannot_be_made(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in refused("fit", scan, "-o", tmp_path / "file" / "run", "--preset", "smoke")


def test_mesh_needs_a_run_and_a_known_format(scan: Path, tmp_path: Path) -> None:
    assert "no checkpoint.pt" in refused("mesh", tmp_path, "-o", tmp_path / "a.ply")
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    assert "cannot be read" in refused("mesh", tmp_path, "-o", tmp_path / "a.ply")


def test_a_usage_error_is_exit_2() -> None:
    assert run("fit", "--no-such-option").returncode == 2
    assert "--resume uses" in refused("fit", "scan.ply", "--resume", "runs/x")
    assert "no scan given" in refused("fit")
