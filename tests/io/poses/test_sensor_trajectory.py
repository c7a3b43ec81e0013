# SPDX-License-Identifier: MIT
"""Sensor positions by time stamps: interpolated, on the clock of the trajectory, and never far from what is known."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from fastsdf.errors import InputError, ScanError
from fastsdf.io import read_point_cloud
from tests.helpers.cli_runs import run

N = 300
GPS_S = 1.3e9
UTM = np.array([4e5, 5e6, 100.0])


@pytest.fixture
def laspy() -> ModuleType:
    return pytest.importorskip("laspy", reason="laspy is not installed: pip install laspy")


def points() -> np.ndarray:
    return np.random.default_rng(1).uniform(-3, 3, (N, 3)) + UTM


def path_at(times: np.ndarray) -> np.ndarray:
    """A walk in straight lines, which interpolation meets exactly."""
    return UTM + np.stack([0.7 * times, -0.2 * times, np.full_like(times, 1.6)], axis=1)


def write_trajectory(folder: Path, stamps: np.ndarray, more: str = "", head: str = "# time x y z\n") -> Path:
    rows = zip(stamps.tolist(), path_at(stamps - stamps[0]).tolist(), strict=True)
    path = folder / "walk.txt"
    path.write_text(head + "".join(f"{t!r} {x!r} {y!r} {z!r}{more}\n" for t, (x, y, z) in rows))
    return path


def write_ply(folder: Path, times: np.ndarray, name: str = "time", kind: str = "f8") -> Path:
    rows = np.empty(N, dtype=[("x", "f8"), ("y", "f8"), ("z", "f8"), (name, kind)])
    rows["x"], rows["y"], rows["z"] = points().T
    rows[name] = times
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(folder / "scan.ply"))
    return folder / "scan.ply"


@pytest.mark.parametrize("name", ["time", "gps_time", "timestamp"])
@pytest.mark.parametrize(("more", "head"), [("", ""), (" 0 0 0 1", "time x y z qx qy qz qw\n"), ("", "# a walk\n\n")])
def test_positions_are_interpolated(tmp_path: Path, name: str, more: str, head: str) -> None:
    times = np.random.default_rng(2).uniform(0, 30, N)
    scan = write_ply(tmp_path, times, name)
    cloud = read_point_cloud(scan, trajectory=write_trajectory(tmp_path, np.linspace(0, 30, 61), more, head))
    assert cloud.sensors is not None and len(cloud) == N
    np.testing.assert_allclose(cloud.sensors, path_at(times), rtol=0, atol=2e-9)
    assert "sensor positions from 61 positions of" in cloud.notes[-1]
    assert read_point_cloud(scan).sensors is None


@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_las_times_are_used_as_they_are_or_as_adjusted_gps_times(
    tmp_path: Path, laspy: ModuleType, shift: float
) -> None:
    times = np.random.default_rng(3).uniform(0, 20, N)
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales, header.offsets = np.full(3, 1e-4), UTM
    las = laspy.LasData(header)
    las.x, las.y, las.z = points().T
    las.gps_time = GPS_S + times - shift
    las.write(str(tmp_path / "a.las"))
    cloud = read_point_cloud(tmp_path / "a.las", trajectory=write_trajectory(tmp_path, GPS_S + np.arange(21.0)))
    assert cloud.sensors is not None
    np.testing.assert_allclose(cloud.sensors, path_at(times), rtol=0, atol=1e-6)  # a clock of 1e9 s has steps of 2e-7
    assert ("adjusted standard GPS time" in cloud.notes[-1]) == bool(shift)


def test_points_far_in_time_are_dropped_and_counted(tmp_path: Path) -> None:
    times = np.linspace(0, 30, N)
    stamps = np.concatenate([np.arange(0, 10, 0.5), np.arange(16, 25, 0.5)])
    cloud = read_point_cloud(write_ply(tmp_path, times), trajectory=write_trajectory(tmp_path, stamps))
    near = np.abs(times[:, None] - stamps).min(axis=1) <= 1.0
    assert 0.5 < near.mean() < 0.9 and len(cloud) == near.sum()
    assert f"dropped {N - len(cloud)} of {N} points whose sensor position is not finite" in cloud.notes
    assert cloud.times is not None and np.array_equal(cloud.times, times[near])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# nothing\n", "holds no positions: every line is time x y z"),
        ("0 1 2\n1 1 2\n", "line 1: '0 1 2' is not a position"),
        ("0 0 0 0\none two three four\n", "line 2: 'one two three four' is not a position"),
        ("0 0 0 nan\n", "is not a position"),
        ("500 0 0 0\n530 0 0 0\n", r"from 0 to 30 s, those of .* from 500 to 530 s: 0% of the points match"),
    ],
)
def test_bad_trajectories_are_explained(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "walk.txt").write_text(content)
    with pytest.raises(ScanError, match=message):
        read_point_cloud(write_ply(tmp_path, np.linspace(0, 30, N)), trajectory=tmp_path / "walk.txt")


def test_a_scan_without_times_and_other_positions_are_refused(tmp_path: Path) -> None:
    walk = write_trajectory(tmp_path, np.linspace(0, 30, 61))
    scan = write_ply(tmp_path, np.linspace(0, 30, N), "intensity")
    with pytest.raises(ScanError, match=r"needs a time per point: the scan has no gps_time \(LAS\)"):
        read_point_cloud(scan, trajectory=walk)
    with pytest.raises(InputError, match=r"a sensor position \(.*\) and a trajectory \(.*\) exclude each other"):
        read_point_cloud(scan, trajectory=walk, sensor=(0.0, 0.0, 0.0))


def test_the_command_takes_a_trajectory(tmp_path: Path) -> None:
    scan = write_ply(tmp_path, np.linspace(0, 30, N))
    done = run("info", scan, "--trajectory", write_trajectory(tmp_path, np.linspace(0, 30, 61)))
    assert done.returncode == 0, done.stderr
    assert "sensor positions from 61 positions" in " ".join(done.stdout.split())
