# SPDX-License-Identifier: MIT
"""The commands end to end on a tiny scan: fit, mesh, eval, resume, and what they import."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial import KDTree

from fastsdf.geometry import PointCloud
from fastsdf.io import read_mesh
from fastsdf.model import FittedField
from tests.helpers.cli_runs import SIZE_M, box_room, command, run, write_scan

UTM_M = np.array([4e5, 5e6, 100.0])
WITHOUT_OPEN3D = "import sys; sys.modules['open3d'] = None"
IMPORTED = (
    "import atexit, sys; atexit.register(lambda: print('LOADED', sorted({'torch', 'open3d'} & set(sys.modules))))"
)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a smoke fit with open3d hidden."""
    folder = tmp_path_factory.mktemp("cli")
    scan = write_scan(folder, box_room())
    done = run("fit", scan, "-o", folder / "run", "--preset", "smoke", before=WITHOUT_OPEN3D)
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout and "total" in done.stdout
    return folder / "run"


def test_fit_writes_everything(fitted: Path) -> None:
    assert sorted(p.name for p in fitted.iterdir()) == ["checkpoint.pt", "config.yaml", "mesh.ply", "run.json"]
    report = json.loads((fitted / "run.json").read_text())
    assert (
        report["scan_facts"]["points"] == 6000 and report["scan_facts"]["inside_outside_evidence"] == "sensor positions"
    )
    assert report["backend"] and report["backend_reason"] and report["seed"] == 0 and report["versions"]["torch"]
    assert report["seconds"]["total"] > 0 and report["metrics"]["faces"] > 1000
    config = yaml.safe_load((fitted / "config.yaml").read_text())
    assert config["field"]["voxel_size_m"] > 0 and config["training"]["steps"] == 150


def test_the_mesh_is_the_room_and_faces_into_it(fitted: Path) -> None:
    mesh = read_mesh(fitted / "mesh.ply")
    wall = np.minimum(np.abs(mesh.vertices), np.abs(mesh.vertices - SIZE_M)).min(axis=1)
    assert np.median(wall) < 0.02
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    inward = (np.cross(b - a, c - a) * (SIZE_M / 2 - a)).sum(axis=1)
    assert (inward > 0).mean() > 0.98


def test_the_written_configuration_reproduces_the_run(fitted: Path, tmp_path: Path) -> None:
    scan = fitted.parent / "scan.ply"
    assert run("fit", scan, "-o", tmp_path / "again", "--config", fitted / "config.yaml").returncode == 0
    one, two = read_mesh(fitted / "mesh.ply"), read_mesh(tmp_path / "again" / "mesh.ply")
    gap, _ = KDTree(one.vertices).query(two.vertices)
    assert np.quantile(gap, 0.99) < 1e-3


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".stl"])
def test_mesh_writes_every_format_at_any_resolution(fitted: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"room{suffix}"
    done = run("mesh", fitted, "-o", out, "--voxel-size", 0.1, before=WITHOUT_OPEN3D)
    assert done.returncode == 0, done.stderr
    mesh = read_mesh(out)
    edges = np.linalg.norm(np.diff(mesh.vertices[mesh.faces[:, :2]], axis=1)[:, 0], axis=1)
    assert 0.02 < np.median(edges) < 0.15


@pytest.mark.open3d
def test_eval_scores_a_mesh_and_writes_json(fitted: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    done = run("eval", fitted / "mesh.ply", "--reference", fitted / "mesh.ply", "--json", out)
    assert done.returncode == 0, done.stderr
    scores = json.loads(out.read_text())
    assert scores["chamfer_l1"] < 1e-4 and min(scores["f_score"]) > 0.999 and scores["protocol"] == "room"


def test_large_coordinates_come_back(tmp_path: Path) -> None:
    """In UTM coordinates the file's vertices lie on the zero set (to 0.1 mm, kinks aside) and on the walls."""
    cloud = box_room()
    assert cloud.sensors is not None
    scan = write_scan(tmp_path, PointCloud(cloud.points + UTM_M, sensors=cloud.sensors + UTM_M))
    assert run("fit", scan, "-o", tmp_path / "run", "--preset", "smoke").returncode == 0
    vertices = read_mesh(tmp_path / "run" / "mesh.ply").vertices
    fitted = FittedField.load(tmp_path / "run", "cpu")
    assert np.median(np.abs(fitted.sdf(vertices))) < 1e-4
    local = vertices - UTM_M
    assert np.median(np.minimum(np.abs(local), np.abs(local - SIZE_M)).min(axis=1)) < 0.02


def test_an_interrupted_fit_is_saved_and_resumed(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room())
    folder = tmp_path / "run"
    arguments = ("fit", scan, "-o", folder, "--preset", "smoke", "--set", "training.checkpoint_every_s=0.01")
    child = subprocess.Popen(
        command(*arguments, "--steps", 400, "--set", "training.log_every=5"), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.pt").is_file() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "--resume" in errors and "Traceback" not in errors
    done = run("fit", "--resume", folder)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "run.json").read_text())
    assert report["steps"] == 400 and 0 < report["resumed_at_step"] < 400


@pytest.mark.parametrize("arguments", [("--help",), ("fit", "--help"), ("--version",), ("config", "show")])
def test_help_is_light(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, before=IMPORTED)
    assert done.returncode == 0 and "LOADED []" in done.stdout


def test_doctor_names_the_backends() -> None:
    done = run("doctor")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("torch", "numba", "triton", "automatic choice"))
