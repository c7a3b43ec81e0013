# SPDX-License-Identifier: MIT
"""Files of poses, points that name their view, and several scans as one."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from plyfile import PlyData, PlyElement
from scipy.spatial.transform import Rotation

from fastsdf.errors import InputError, ScanError
from fastsdf.io import read_point_cloud, read_point_clouds
from fastsdf.io.poses.pose_files import read_poses

N, VIEWS = 150, 5


@pytest.fixture
def matrices() -> np.ndarray:
    rng = np.random.default_rng(8)
    poses = np.tile(np.eye(4), (VIEWS, 1, 1))
    poses[:, :3, :3] = Rotation.random(VIEWS, rng=rng).as_matrix()
    poses[:, :3, 3] = rng.uniform(-2.0, 2.0, (VIEWS, 3))
    return poses


def write_table(path: Path, matrices: np.ndarray, rows: int = 4, leading: str = "") -> Path:
    """One line a pose, behind a comment; ``{}`` in ``leading`` becomes the index."""
    lines = [leading.format(i) + " ".join(map(repr, m[:rows].ravel().tolist())) for i, m in enumerate(matrices)]
    path.write_text("# a comment\n" + "\n\n".join(lines) + "\n")
    return path


def write_cloud(path: Path, name: str | None = "view", kind: str = "u2", seed: int = 9) -> Path:
    """A PLY of points with a property of this name that counts 0 1 2 3 4 0 1 ..."""
    names = ["x", "y", "z", *([name] if name else [])]
    rows = np.zeros(N, dtype=[(n, kind if n == name else "f4") for n in names])
    for axis, values in zip("xyz", np.random.default_rng(seed).random((3, N)), strict=True):
        rows[axis] = values
    if name:
        rows[name] = np.arange(N) % VIEWS
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(path))
    return path


@pytest.mark.parametrize("rows", [3, 4])
@pytest.mark.parametrize("leading", ["", "{} ", "{:06d}.png ", "{} 3 ", "{} a b "])
def test_pose_tables(tmp_path: Path, matrices: np.ndarray, rows: int, leading: str) -> None:
    poses = read_poses(write_table(tmp_path / "p.txt", matrices, rows, leading))
    np.testing.assert_array_equal(poses.matrices, matrices)
    assert poses.names[2] == tuple(leading.format(2).split())


@pytest.mark.open3d
@pytest.mark.parametrize("suffix", ["log", "json"])
def test_trajectories_of_open3d(tmp_path: Path, matrices: np.ndarray, open3d: ModuleType, suffix: str) -> None:
    trajectory = open3d.camera.PinholeCameraTrajectory()
    cameras = []
    for matrix in matrices:
        camera = open3d.camera.PinholeCameraParameters()
        camera.intrinsic = open3d.camera.PinholeCameraIntrinsic(640, 480, 525, 525, 319.5, 239.5)
        camera.extrinsic = np.linalg.inv(matrix)
        cameras.append(camera)
    trajectory.parameters = cameras
    assert open3d.io.write_pinhole_camera_trajectory(str(tmp_path / f"t.{suffix}"), trajectory)
    np.testing.assert_allclose(read_poses(tmp_path / f"t.{suffix}").matrices, matrices, atol=1e-7)


@pytest.mark.parametrize(("name", "kind"), [("view", "u2"), ("scan", "i4"), ("frame_index", "u1"), ("Frame", "f4")])
def test_sensors_are_the_translations_of_the_views(tmp_path: Path, matrices: np.ndarray, name: str, kind: str) -> None:
    cloud = read_point_cloud(
        write_cloud(tmp_path / "a.ply", name, kind), poses=write_table(tmp_path / "p.txt", matrices, 3, "{} ")
    )
    np.testing.assert_array_equal(cloud.sensors, matrices[np.arange(N) % VIEWS, :3, 3])
    assert "from 5 poses of" in cloud.notes[0]
    bare = read_point_cloud(tmp_path / "a.ply")
    assert bare.sensors is None and "--poses FILE" in bare.notes[0]


def test_views_and_poses_must_fit(tmp_path: Path, matrices: np.ndarray) -> None:
    path = write_table(tmp_path / "p.txt", matrices[:4])
    with pytest.raises(ScanError, match=r"view indices of the points range from 0 to 4, but .*p\.txt holds 4 poses"):
        read_point_cloud(write_cloud(tmp_path / "a.ply"), poses=path)
    with pytest.raises(ScanError, match="no whole-number property named view, scan or frame"):
        read_point_cloud(write_cloud(tmp_path / "b.ply", None), poses=path)
    with pytest.raises(InputError, match="exclude each other"):
        read_point_cloud(tmp_path / "a.ply", poses=path, sensor=(0, 0, 0))


def test_points_of_a_lost_view_are_dropped(tmp_path: Path, matrices: np.ndarray) -> None:
    matrices[1, :3] = np.nan
    cloud = read_point_cloud(write_cloud(tmp_path / "a.ply"), poses=write_table(tmp_path / "p.txt", matrices))
    assert len(cloud) == N - N // VIEWS and "whose sensor position is not finite" in cloud.notes[1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", "# nothing\n", "holds no poses"),
        ("p.txt", "1 2 3\n", r"line 1: '1 2 3' \(3 columns\) is not a pose"),
        ("p.txt", "1 0 0 0 0 1 0 0 0 0 1 x\n", "line 1: .* is not a pose"),
        ("p.txt", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 2\n", "line 1: .* is not a pose"),
        ("p.txt", "2 0 0 0 0 1 0 0 0 0 1 0\n", "pose 0 is not a rotation and a translation"),
        ("p.txt", "1 0 0 0 0 1 0 0 0 0 -1 0\n", "pose 0 is not a rotation and a translation"),
        ("p.log", "0 0 1\n1 0 0 0\n", "is not a trajectory: expected five lines"),
        ("p.log", "0 0 1\n" + "1 0 0 x\n" * 4, "is not a trajectory of numbers"),
        ("p.json", "{", "is not a camera trajectory of Open3D"),
        ("p.json", json.dumps({"parameters": [{"extrinsic": [0.0] * 16}]}), "is not a camera trajectory of Open3D"),
        ("p.json", json.dumps({"parameters": []}), "holds no poses"),
    ],
)
def test_damaged_poses(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ScanError, match=message):
        read_poses(tmp_path / name)


def test_several_scans_become_one(tmp_path: Path) -> None:
    one = write_cloud(tmp_path / "a.ply", None, seed=1)
    two = write_cloud(tmp_path / "b.ply", None, seed=2)
    parts = [read_point_cloud(path, sensor=(1, 2, 3)) for path in (one, two)]
    cloud = read_point_clouds([one, two], sensor=(1, 2, 3))
    np.testing.assert_array_equal(cloud.points, np.vstack([part.points for part in parts]))
    np.testing.assert_array_equal(cloud.sensors, np.tile([1.0, 2.0, 3.0], (2 * N, 1)))
    assert cloud.notes[0] == f"merged 2 scans: {one} (150 points), {two} (150 points)"
    assert cloud.notes[1].startswith(f"{one}: one sensor position")
    again = read_point_clouds([str(tmp_path / "[ab].ply")], sensor=(1, 2, 3))
    np.testing.assert_array_equal(again.points, cloud.points)
    np.testing.assert_array_equal(read_point_clouds([one]).points, read_point_cloud(one).points)


def test_attributes_that_not_all_scans_have_are_left_out(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((N, 3))
    np.savez(tmp_path / "a.npz", points=points, normals=points, colors=np.zeros((N, 3), np.uint8))
    np.savez(tmp_path / "b.npz", points=points + 1, colors=np.ones((N, 3), np.uint8))
    cloud = read_point_clouds([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert cloud.normals is None and cloud.colors is not None and cloud.colors.sum() == 3 * N
    assert cloud.notes[1] == f"normals left out: {tmp_path / 'b.npz'} has none"


def test_scans_that_cannot_be_merged(tmp_path: Path) -> None:
    one = write_cloud(tmp_path / "a.ply")
    with pytest.raises(InputError, match=r"a\.ply is given twice"):
        read_point_clouds([one, tmp_path / "*.ply"])
    with pytest.raises(ScanError, match=r"no file matches the pattern .*\*\.las"):
        read_point_clouds([tmp_path / "*.las"])
    with pytest.raises(ScanError, match=r"c\.ply does not exist"):
        read_point_clouds([one, tmp_path / "c.ply"])
    with pytest.raises(InputError, match="no scan given"):
        read_point_clouds([])
    odd = write_cloud(tmp_path / "[odd].ply")
    assert len(read_point_clouds([odd])) == N
