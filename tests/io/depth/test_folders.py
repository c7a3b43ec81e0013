# SPDX-License-Identifier: MIT
"""Folders of posed depth images: exact rays in a room give points on its faces."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed: pip install pillow")

from fastsdf.errors import InputError, ScanError
from fastsdf.io import read_point_cloud
from fastsdf.io.depth import folders as depth_folders
from fastsdf.io.depth.images import Intrinsics, back_project, read_depth_image, without_edges
from tests.helpers.depth_rooms import FX, HEIGHT, IMAGES, ROOM_M, WIDTH, WRITERS, depth_of, poses, write_plain

QUANTUM_M = {"depth": 1e-4, "TUM": 2e-4, "7-Scenes": 1e-3, "Open3D": 1e-3}
CAMERA = Intrinsics(FX, FX, 1.0, 1.0, 4, 3, 1000.0)


def to_faces(points: np.ndarray) -> np.ndarray:
    """Distance (n,) to the nearest plane of the room."""
    return np.minimum(np.abs(points), np.abs(points - ROOM_M)).min(axis=1)


@pytest.mark.parametrize("layout", list(WRITERS))
def test_every_layout_gives_the_room(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path)
    cloud = read_point_cloud(tmp_path, stride=1)
    assert 0.8 * IMAGES * WIDTH * HEIGHT < len(cloud) <= IMAGES * (WIDTH * HEIGHT - 1)
    assert to_faces(cloud.points).max() < QUANTUM_M[layout]
    assert cloud.sensors is not None
    positions, counts = np.unique(cloud.sensors.round(9), axis=0, return_counts=True)
    np.testing.assert_allclose(positions, poses()[:, :3, 3], atol=1e-9)
    assert counts.min() > 0.8 * WIDTH * HEIGHT
    assert any(f"{IMAGES} depth images ({layout} layout)" in note for note in cloud.notes)
    assert any("1 of 5 depth images have no pose" in note for note in cloud.notes) == (layout == "TUM")


def test_points_are_those_of_the_pixels(tmp_path: Path) -> None:
    write_plain(tmp_path)
    cloud = read_point_cloud(tmp_path, stride=5)
    pose, depth = poses()[0], depth_of(poses()[0])
    row, column = 2, 7  # the second sample of the first row
    camera_point = np.array([(column - 31.0) / 50.0, (row - 24.5) / 52.0, 1.0]) * depth[row, column]
    np.testing.assert_allclose(cloud.points[1], pose[:3, :3] @ camera_point + pose[:3, 3], atol=1e-4)


def test_the_stride_bounds_the_number_of_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plain(tmp_path)
    assert "pixel stride 1" in read_point_cloud(tmp_path).notes[-1]
    monkeypatch.setattr(depth_folders, "MAX_POINTS", 2000)
    cloud = read_point_cloud(tmp_path)
    assert 1000 < len(cloud) <= 2000 and "pixel stride 3" in cloud.notes[-1]
    with pytest.raises(InputError, match="stride must be at least 1, got 0"):
        read_point_cloud(tmp_path, stride=0)


def test_depth_edges_are_dropped_on_both_sides() -> None:
    depth = np.array([[1.0, 1.04, 0.0, 3.0], [1.0, 1.0, 2.0, 2.05], [0.0, 1.0, 2.0, 2.0]])
    kept = without_edges(depth, 0.05) > 0
    np.testing.assert_array_equal(kept, [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert len(back_project(depth, CAMERA, np.eye(4), 1)) == 10


def test_images_without_a_finite_pose_are_left_out(tmp_path: Path) -> None:
    WRITERS["7-Scenes"](tmp_path)
    np.savetxt(tmp_path / "frame-000002.pose.txt", np.full((4, 4), np.nan))
    cloud = read_point_cloud(tmp_path)
    assert cloud.sensors is not None and len(np.unique(cloud.sensors, axis=0)) == IMAGES - 1
    assert cloud.notes[-1] == "1 depth images without a finite pose left out"
    for path in tmp_path.glob("*.pose.txt"):
        np.savetxt(path, np.full((4, 4), -np.inf))
    with pytest.raises(ScanError, match="none of the 4 depth images has a usable pose"):
        read_point_cloud(tmp_path)


@pytest.mark.parametrize(("layout", "size"), [("TUM", 525.0), ("7-Scenes", 585.0)])
def test_default_cameras_are_noted_and_checked(tmp_path: Path, layout: str, size: float) -> None:
    WRITERS[layout](tmp_path)
    (tmp_path / "intrinsics.txt").unlink()
    with pytest.raises(ScanError, match=r"has 64 x 48 pixels, the camera 640 x 480.*intrinsics\.txt"):
        read_point_cloud(tmp_path)
    sequence = depth_folders.find_sequence(tmp_path)
    assert sequence.camera.fx == size and "default camera" in sequence.notes[0]


@pytest.mark.open3d
def test_images_from_open3d(tmp_path: Path, open3d: ModuleType) -> None:
    values = np.array([[0, 1, 65535, 40000], [7, 8, 9, 10], [1, 2, 3, 65534]], dtype=np.uint16)
    open3d.io.write_image(str(tmp_path / "a.png"), open3d.geometry.Image(values))
    np.testing.assert_array_equal(
        read_depth_image(tmp_path / "a.png", CAMERA), np.where(values < 65535, values, 0) / 1000.0
    )
    open3d.io.write_image(str(tmp_path / "b.png"), open3d.geometry.Image(np.zeros((3, 4, 3), np.uint8)))
    with pytest.raises(ScanError, match="mode RGB: depth images are grey with 16 bits"):
        read_depth_image(tmp_path / "b.png", CAMERA)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    with pytest.raises(ScanError, match="cannot be read as an image"):
        read_depth_image(tmp_path / "b.png", CAMERA)


def test_without_pillow_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plain(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ScanError, match="pip install pillow"):
        read_point_cloud(tmp_path)


def test_unknown_folders_list_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"is a folder: .*depth/\*\.png, poses\.txt.*TUM.*7-Scenes.*Open3D"):
        read_point_cloud(tmp_path)


@pytest.mark.parametrize(
    ("layout", "name", "content", "message"),
    [
        ("depth", "intrinsics.txt", "1 2 3\n", "holds '1 2 3': write fx fy cx cy"),
        ("depth", "intrinsics.txt", "1 2 3 4 5 6 0\n", "must be above 0"),
        ("depth", "depth/004.png", None, r"has no image for the pose '004\.png"),
        ("TUM", "groundtruth.txt", "1 2 3\n", "is not a trajectory"),
        ("TUM", "groundtruth.txt", "# none\n", "holds no poses"),
        ("TUM", "groundtruth.txt", "1 0 0 0 0 0 0 0\n", "quaternion 0 0 0 0"),
        ("TUM", "depth.txt", "depth/a.png\n", "is not a time and a file name"),
        ("TUM", "depth/100.000000.png", None, "does not exist"),
        ("7-Scenes", "frame-000001.pose.txt", "1 0 0\n", "does not hold a 4x4 matrix"),
        ("7-Scenes", "frame-000001.pose.txt", None, "does not exist"),
        ("Open3D", "camera_intrinsic.json", "{}", "is not a camera of Open3D"),
        ("Open3D", "depth/00000.png", None, "holds 3 PNG images for 4 poses"),
    ],
)
def test_damaged_folders(tmp_path: Path, layout: str, name: str, content: str | None, message: str) -> None:
    WRITERS[layout](tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_text(content)
    with pytest.raises(ScanError, match=message):
        read_point_cloud(tmp_path)
