# SPDX-License-Identifier: MIT
"""The known layouts of folders of posed depth images: where each keeps its images, poses and intrinsics."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.io.depth.images import Intrinsics
from fastsdf.io.files import require_file
from fastsdf.io.poses.pose_files import Poses, check_poses, read_poses
from fastsdf.io.poses.stamped_poses import poses_at, read_stamped_names, read_trajectory

TUM_CAMERA = Intrinsics(525.0, 525.0, 319.5, 239.5, 640, 480, 5000.0)  # default of the TUM RGB-D benchmark's web page
SEVEN_SCENES_CAMERA = Intrinsics(585.0, 585.0, 320.0, 240.0, 640, 480, 1000.0)  # from the data set's web page
# File names that Open3D and its tutorials use.
CAMERA_FILES = ("camera_intrinsic.json", "intrinsic.json")
TRAJECTORIES = ("*.log", "*trajectory*.json", "scene/*.log", "scene/*trajectory*.json")


class DepthSequence(NamedTuple):
    """Depth images with their poses.

    Attributes:
        layout: name of the folder's layout.
        images: m image files.
        matrices: (m, 4, 4) camera to world; not finite where tracking was lost.
        camera: camera of all images.
        notes: messages for the report.
    """

    layout: str
    images: list[Path]
    matrices: np.ndarray
    camera: Intrinsics
    notes: tuple[str, ...] = ()


def find_sequence(folder: Path) -> DepthSequence:
    """Find the depth images of a folder by the first known layout that it matches.

    Raises:
        ScanError: the folder matches no layout, or a file of the layout is missing or damaged.
    """
    for layout in LAYOUTS:
        if layout.matches(folder):
            return layout.read(folder)
    known = "; ".join(f"{layout.name}: {layout.files}" for layout in LAYOUTS)
    raise ScanError(f"{folder} is a folder: name one file in it, or a folder of posed depth images as one of {known}")


def read_intrinsics(path: Path) -> Intrinsics:
    """Read a text file with ``fx fy cx cy width height depth_units_per_metre``; comment lines start with #.

    Raises:
        ScanError: the file is missing or does not hold these seven numbers.
    """
    lines = require_file(path).read_text(encoding="latin-1").splitlines()
    words = [word for line in lines if not line.lstrip().startswith("#") for word in line.replace(",", " ").split()]
    try:
        fx, fy, cx, cy, width, height, units = (float(word) for word in words)
    except ValueError as error:
        raise ScanError(
            f"{path} holds '{' '.join(words)[:60]}': write fx fy cx cy width height depth_units_per_metre"
        ) from error
    return _checked(Intrinsics(fx, fy, cx, cy, int(width), int(height), units), path)


def _checked(camera: Intrinsics, path: Path) -> Intrinsics:
    if not (min(camera.fx, camera.fy, camera.width, camera.height, camera.units_per_m) > 0):
        raise ScanError(f"{path}: focal lengths, size and depth units must be above 0, got {tuple(camera)}")
    return camera


def _camera_or(folder: Path, default: Intrinsics, name: str) -> tuple[Intrinsics, tuple[str, ...]]:
    path = folder / "intrinsics.txt"
    if path.is_file():
        return read_intrinsics(path), ()
    fx, fy, cx, cy = default[:4]
    return default, (f"default camera of {name} (fx {fx}, fy {fy}, cx {cx}, cy {cy}); an intrinsics.txt replaces it",)


def _read_plain(folder: Path) -> DepthSequence:
    poses = read_poses(folder / "poses.txt")
    images = _named_images(folder / "depth", poses)
    return DepthSequence("depth", images, poses.matrices, read_intrinsics(folder / "intrinsics.txt"))


def _named_images(folder: Path, poses: Poses) -> list[Path]:
    """The image of each pose: the one named in its line, or the images in order if no line names one."""
    named = [[path for name in names if (path := _image(folder, name)) is not None] for names in poses.names]
    if not any(named):
        return _ordered_images(folder, len(poses.matrices))
    for names, found in zip(poses.names, named, strict=True):
        if not found:
            raise ScanError(f"{folder} has no image for the pose '{' '.join(names)}': copy it, or remove the pose")
    return [found[-1] for found in named]


def _image(folder: Path, name: str) -> Path | None:
    paths = (folder / Path(name).name, folder / f"{Path(name).name}.png")
    return next((path for path in paths if path.is_file()), None)


def _ordered_images(folder: Path, count: int) -> list[Path]:
    images = sorted(folder.glob("*.png"))
    if len(images) != count:
        raise ScanError(f"{folder} holds {len(images)} PNG images for {count} poses: give one pose per image")
    return images


def _read_seven_scenes(folder: Path) -> DepthSequence:
    images = sorted(folder.glob("*.depth.png"))
    paths = [image.with_name(image.name.replace(".depth.png", ".pose.txt")) for image in images]
    matrices = np.array([_read_matrix(path) for path in paths])
    camera, notes = _camera_or(folder, SEVEN_SCENES_CAMERA, "7-Scenes")
    return DepthSequence("7-Scenes", images, check_poses(matrices, str(folder)), camera, notes)


def _read_matrix(path: Path) -> np.ndarray:
    try:
        values = np.array(require_file(path).read_text(encoding="latin-1").split(), dtype=np.float64)
        return values.reshape(4, 4)
    except ValueError as error:
        raise ScanError(f"{path} does not hold a 4x4 matrix ({error}): copy it again") from error


def _read_tum(folder: Path) -> DepthSequence:
    stamps, names = read_stamped_names(folder / "depth.txt")
    matrices, known = poses_at(stamps, read_trajectory(folder / "groundtruth.txt"))
    images = [folder / name for name, good in zip(names, known, strict=True) if good]
    camera, notes = _camera_or(folder, TUM_CAMERA, "TUM RGB-D")
    lost = len(names) - len(images)
    if lost:
        notes = (*notes, f"{lost} of {len(names)} depth images have no pose close in time: left out")
    return DepthSequence("TUM", images, matrices[known], camera, notes)


def _read_open3d(folder: Path) -> DepthSequence:
    trajectory = _first(folder, TRAJECTORIES)
    camera_file = _first(folder, CAMERA_FILES)
    assert trajectory is not None and camera_file is not None
    poses = read_poses(trajectory)
    images = _ordered_images(folder / "depth", len(poses.matrices))
    return DepthSequence("Open3D", images, poses.matrices, _read_camera_json(camera_file))


def _read_camera_json(path: Path) -> Intrinsics:
    """Read Open3D's PinholeCameraIntrinsic: a column-major 3x3 matrix; ``depth_scale`` defaults to 1000."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        matrix = np.array(content["intrinsic_matrix"], dtype=np.float64).reshape(3, 3).T
        size, units = (int(content["width"]), int(content["height"])), float(content.get("depth_scale", 1000.0))
    except (ValueError, KeyError, TypeError) as error:
        raise ScanError(
            f"{path} is not a camera of Open3D ({error!r}): it needs width, height and intrinsic_matrix"
        ) from error
    fx, fy, cx, cy = (float(matrix[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return _checked(Intrinsics(fx, fy, cx, cy, *size, units), path)


def _first(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    return next((path for pattern in patterns for path in sorted(folder.glob(pattern))), None)


class Layout(NamedTuple):
    """A known layout: its name, its files (for messages), whether a folder matches it, and its reader."""

    name: str
    files: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], DepthSequence]


def _has(*names: str) -> Callable[[Path], bool]:
    return lambda folder: all((folder / name).exists() for name in names)


# The first one whose files are in the folder is read.
LAYOUTS = (
    Layout(
        "depth", "depth/*.png, poses.txt, intrinsics.txt", _has("depth", "poses.txt", "intrinsics.txt"), _read_plain
    ),
    Layout("TUM", "depth/*.png, depth.txt, groundtruth.txt", _has("depth.txt", "groundtruth.txt"), _read_tum),
    Layout(
        "7-Scenes",
        "frame-000000.depth.png, frame-000000.pose.txt, ...",
        lambda folder: _first(folder, ("*.depth.png",)) is not None,
        _read_seven_scenes,
    ),
    Layout(
        "Open3D",
        "depth/*.png, camera_intrinsic.json, a trajectory .log or .json",
        lambda f: _has("depth")(f) and None not in (_first(f, TRAJECTORIES), _first(f, CAMERA_FILES)),
        _read_open3d,
    ),
)
