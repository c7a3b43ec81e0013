# SPDX-License-Identifier: MIT
"""The commands inside one process: exact repetition, large coordinates, resuming, and one line for every bad input."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from fastsdf.commands import fit as fit_command
from fastsdf.geometry import PointCloud
from fastsdf.io import read_mesh, read_point_cloud
from fastsdf.io.run_folder import RunFolder
from fastsdf.prepare.normalize import SceneTransform, fit_transform
from fastsdf.training.checkpoint import read_checkpoint
from tests.helpers.cli_calls import QUICK, call_main
from tests.helpers.cli_runs import box_room, write_scan

UTM_M = np.array([4e5, 5e6, 100.0])

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command; its exit code and what it wrote to stderr."""

    def run(*arguments: object) -> tuple[int, str]:
        code = call_main(*arguments)
        return code, capsys.readouterr().err

    return run


def exact_room(offset: np.ndarray) -> PointCloud:
    """The box room on multiples of 2^-16 m, which large offsets do not round."""
    cloud = box_room(4000)
    assert cloud.sensors is not None
    return PointCloud(np.round(cloud.points * 2**16) / 2**16 + offset, sensors=cloud.sensors + offset)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run, its scan beside it."""
    folder = tmp_path_factory.mktemp("cli")
    torch.ones(1 << 20).sqrt()  # the first call in a process may round differently
    scan = write_scan(folder, exact_room(np.zeros(3)))
    assert call_main("fit", scan, "-o", folder / "run", *QUICK) == 0
    return folder / "run"


def test_the_written_configuration_repeats_the_mesh_byte_for_byte(fitted: Path, tmp_path: Path, call: Call) -> None:
    scan = fitted.parent / "scan.ply"
    assert call("fit", scan, "-o", tmp_path, "--config", fitted / "config.yaml")[0] == 0
    for name in ("config.yaml", "mesh.ply"):
        assert (tmp_path / name).read_bytes() == (fitted / name).read_bytes()


def test_utm_coordinates_give_the_same_mesh(fitted: Path, tmp_path: Path, call: Call) -> None:
    """Offsets that are multiples of the voxel size move scan, training points and lattice without any rounding."""
    scan = write_scan(tmp_path, exact_room(UTM_M))
    assert call("fit", scan, "-o", tmp_path / "run", *QUICK)[0] == 0
    one, two = (read_checkpoint(RunFolder(path).checkpoint) for path in (fitted, tmp_path / "run"))
    assert all(torch.equal(one[k], two[k]) for k in ("points", "normals", "confidence", "spacing"))
    assert all(torch.equal(one["weights"][k], two["weights"][k]) for k in one["weights"])
    near, far = read_mesh(fitted / "mesh.ply"), read_mesh(tmp_path / "run" / "mesh.ply")
    np.testing.assert_array_equal(far.faces, near.faces)
    moved = far.vertices - UTM_M - near.vertices
    assert near.normals is not None
    assert np.abs((moved * near.normals).sum(1)).max() < 5e-7  # a float32 of the unit frame is 2.4e-7 m here
    assert np.abs(moved).max() < 1e-5  # a vertex slides further on an edge that almost lies in the surface


def test_the_transform_round_trips_through_the_run_folder(tmp_path: Path) -> None:
    points = read_point_cloud(write_scan(tmp_path, exact_room(UTM_M))).points
    transform = fit_transform(points)
    assert SceneTransform(**transform.state()) == transform
    assert np.abs(transform.to_world(transform.to_unit(points)) - points).max() <= np.spacing(5e6)
    unit = fit_transform(points - UTM_M).to_unit(points - UTM_M)
    np.testing.assert_array_equal(transform.to_unit(points), unit)


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    fitted: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def stop_at_once():
        yield lambda: True

    with monkeypatch.context() as patch:
        patch.setattr(fit_command, "_stop_on_interrupt", stop_at_once)
        code, errors = call("fit", fitted.parent / "scan.ply", "-o", tmp_path, *QUICK)
    assert (
        code == 1
        and f"stopped at step 8 of 24; everything is saved, resume with 'fastsdf fit --resume {tmp_path}'" in errors
    )
    assert not (tmp_path / "mesh.ply").exists()
    assert call("fit", "--resume", tmp_path)[0] == 0
    assert (tmp_path / "mesh.ply").read_bytes() == (fitted / "mesh.ply").read_bytes()
    code, errors = call("fit", "--resume", tmp_path)
    assert code == 2 and "is already finished; mesh it with" in errors


def test_the_first_interrupt_asks_and_the_second_interrupts(request: pytest.FixtureRequest) -> None:
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with fit_command._stop_on_interrupt() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_mesh_keeps_everything_without_support(fitted: Path, tmp_path: Path, call: Call) -> None:
    for name, more in (("cut", ()), ("all", ("--support", "0", "--min-component-area", "0"))):
        assert call("mesh", fitted, "-o", tmp_path / f"{name}.ply", "--voxel-size", "0.25", *more)[0] == 0
    cut, whole = (read_mesh(tmp_path / f"{name}.ply") for name in ("cut", "all"))
    assert len(whole.faces) >= len(cut.faces) > 100


@pytest.mark.parametrize("folder", ["[b]", "[/b]", ":x: [red]"])
def test_names_with_brackets_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fitted: Path, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path(folder) / "a.ply"
    assert call_main("mesh", fitted, "-o", out, "--voxel-size", "0.25") == 0
    assert f"mesh {out}" in capsys.readouterr().out and out.is_file()


@pytest.fixture
def inputs(tmp_path: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of good and bad inputs, made the working directory."""
    write_scan(tmp_path, box_room(300))
    write_scan(tmp_path, PointCloud(np.random.default_rng(0).random((10, 3))), "few.ply")
    (tmp_path / "bad.ply").write_text("not a ply file\n")
    (tmp_path / "bad.yaml").write_text("training: {steps: 5\n")
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "done").symlink_to(fitted)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fit none.ply", "none.ply does not exist"),
        ("fit bad.ply", "bad.ply is not a PLY file"),
        ("fit few.ply", "few.ply holds 10 usable points"),
        ("fit", "no scan given"),
        ("fit scan.ply --set training.stepz=5", "did you mean 'training.steps'?"),
        ("fit scan.ply --set viscosity.knots=[1", "the value is not valid YAML"),
        ("fit scan.ply --config bad.yaml", "cannot read the configuration bad.yaml"),
        ("fit scan.ply --preset nope", "no preset named 'nope'; give one of handheld-slam"),
        ("fit scan.ply --sensor 1,2", "--sensor is '1,2'; give three numbers"),
        ("fit scan.ply --sensor 1,2,z", "--sensor is '1,2,z'; give three numbers"),
        ("fit scan.ply --sensor nan,0,0", "sensor must be three finite numbers"),
        ("fit scan.ply --device cuda:7", "device 'cuda:7' is not available"),
        ("fit scan.ply --preset smoke -o file/run", "cannot write file/run/config.yaml"),
        ("fit --resume none", "no checkpoint.pt in none"),
        ("fit --resume done", "done is already finished"),
        ("fit scan.ply --resume done", "--resume uses the run's own scan"),
        ("fit --resume done --steps 99", "--resume uses the run's own scan"),
        ("mesh done -o mesh.xyz", "unknown mesh suffix '.xyz'"),
        ("mesh done -o mesh.ply --voxel-size nan", "--voxel-size is nan"),
        ("mesh done -o mesh.ply --voxel-size 1e-9", "needs"),
        ("mesh done -o mesh.ply --support -1", "--support is -1.0"),
        ("mesh done -o mesh.ply --min-component-area -1", "--min-component-area is -1.0"),
        ("mesh done -o mesh.ply --device cuda:7", "device 'cuda:7' is not available"),
        ("mesh done -o file/mesh.ply", "cannot write file/mesh.ply"),
        ("report none", "no checkpoint.pt in none"),
        ("report done -o .", "is a folder; name a file"),
        ("report done --up w", "--up 'w' is no axis"),
        ("report done --device cuda:7", "device 'cuda:7' is not available"),
        ("eval none.ply --reference scan.ply", "none.ply does not exist"),
        ("eval scan.ply --reference scan.ply --protocol x", "unknown evaluation protocol 'x'"),
        ("config show --set a=1", "unknown configuration key 'a'"),
    ],
)
def test_bad_input_is_one_line(inputs: Path, call: Call, line: str, message: str) -> None:
    before = sorted(inputs.rglob("*"))
    code, errors = call(*line.split())
    assert code == 2
    assert errors.startswith("Error: ") and errors.count("\n") == 1 and message in errors
    assert sorted(inputs.rglob("*")) == before  # nothing was left behind


@pytest.mark.parametrize("line", ["eval a.ply --reference a.ply --seed -1", "fit a.ply --steps many", "fit a.ply --no"])
def test_usage_errors_are_exit_2(call: Call, line: str) -> None:
    code, errors = call(*line.split())
    assert code == 2 and "Usage:" in errors


def test_importing_the_package_is_light() -> None:
    heavy = {"torch", "open3d", "scipy", "numba", "matplotlib", "jinja2", "viser"}
    code = f"import sys, fastsdf, fastsdf.commands.app; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
