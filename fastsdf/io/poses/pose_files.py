# SPDX-License-Identifier: MIT
"""Reads files of camera or scanner poses, and takes sensor positions from them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.files import require_file

MAX_LEADING_COLUMNS = 3  # words before the numbers of a pose, e.g. the three indices of Open3D
MAX_SHEAR = 0.02  # largest entry of |R R^T - I|; allows for poses that were written with few digits
# The format, for messages.
POSE_LINE = "every line is [name or index ...] and a camera-to-world matrix, 3x4 or 4x4, row by row"


class Poses(NamedTuple):
    """Poses in file order.

    Attributes:
        matrices: (m, 4, 4) float64, camera (or scanner) to world; the translation is the sensor position.
        names: the words before the numbers of each pose (file names, indices); may be empty.
    """

    matrices: np.ndarray
    names: tuple[tuple[str, ...], ...]


def read_poses(path: str | Path) -> Poses:
    """Reads a text table of poses, or a camera trajectory of Open3D (``.log`` or ``.json``).

    Raises:
        ScanError: the file is missing or damaged, or a matrix in it is not a pose.
    """
    path = require_file(path)
    readers = {".log": _read_log, ".json": _read_open3d_json}
    poses = readers.get(path.suffix.lower(), _read_table)(path)
    if len(poses.matrices) == 0:
        raise ScanError(f"{path} holds no poses: {POSE_LINE}")
    return poses


def with_poses(cloud: PointCloud, path: str | Path) -> PointCloud:
    """Sets the sensor position of each point to the translation of its view's pose; replaces those of the file.

    Raises:
        ScanError: the cloud has no views, a view has no pose, or the file of poses cannot be read.
    """
    poses = read_poses(path)
    if cloud.views is None:
        raise ScanError(
            f"the poses of {path} need a view index per point, and the scan has no whole-number property named view, "
            "scan or frame; export it with one, or leave --poses out"
        )
    low, high = int(cloud.views.min(initial=0)), int(cloud.views.max(initial=-1))
    if low < 0 or high >= len(poses.matrices):
        raise ScanError(
            f"the view indices of the points range from {low} to {high}, but {path} holds {len(poses.matrices)} poses "
            "(counted from 0, without lines that start with #): give the file of poses that belongs to the scan"
        )
    note = f"sensor positions from {len(np.unique(cloud.views))} poses of {path}, by the view indices of the points"
    return replace(cloud, sensors=poses.matrices[cloud.views, :3, 3], notes=(*cloud.notes, note))


def check_poses(matrices: np.ndarray, where: str) -> np.ndarray:
    """Checks that the finite ones of (m, 4, 4) ``matrices`` are rigid motions, and returns all.

    Raises:
        ScanError: a matrix is not a rigid motion; ``where`` names the file in the message.
    """
    rotation = matrices[:, :3, :3]
    finite = np.isfinite(matrices).all(axis=(1, 2), keepdims=True)
    safe = np.where(finite, rotation, np.eye(3))
    shear = np.abs(safe @ safe.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    bad = np.flatnonzero((shear > MAX_SHEAR) | (np.linalg.det(safe) < 0))
    if len(bad):
        raise ScanError(
            f"{where}: pose {bad[0]} is not a rotation and a translation (its 3x3 part is "
            f"{rotation[bad[0]].tolist()}): {POSE_LINE}"
        )
    return matrices


def _read_table(path: Path) -> Poses:
    matrices, names = [], []
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        leading, matrix = _parse_line(words, f"{path}, line {number}")
        names.append(leading)
        matrices.append(matrix)
    stacked = np.array(matrices).reshape(-1, 4, 4)
    return Poses(check_poses(stacked, str(path)), tuple(names))


def _parse_line(words: list[str], where: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Leading words and 4x4 matrix of a line: up to 3 words, then 16 numbers that end in 0 0 0 1, or 12 numbers."""
    for size in (16, 12):
        leading = len(words) - size
        if not 0 <= leading <= MAX_LEADING_COLUMNS:
            continue
        try:
            values = np.array([float(word) for word in words[leading:]]).reshape(-1, 4)
        except ValueError:
            break
        if size == 16 and np.abs(values[3] - (0, 0, 0, 1)).max() > 1e-6:
            break
        return tuple(words[:leading]), np.vstack([values[:3], (0.0, 0.0, 0.0, 1.0)])
    raise ScanError(f"{where}: '{' '.join(words)[:60]}' ({len(words)} columns) is not a pose: {POSE_LINE}")


def _read_log(path: Path) -> Poses:
    """Reads the trajectory format of Redwood and Open3D: per pose three indices, then a camera-to-world 4x4 matrix."""
    lines = [line.split() for line in path.read_text(encoding="latin-1").splitlines() if line.strip()]
    if len(lines) % 5 or any(len(line) != 4 for i, line in enumerate(lines) if i % 5):
        raise ScanError(f"{path} is not a trajectory: expected five lines per pose (three indices, then a 4x4 matrix)")
    try:
        values = [[float(word) for word in line] for i, line in enumerate(lines) if i % 5]
    except ValueError as error:
        raise ScanError(f"{path} is not a trajectory of numbers ({error}): export it again") from error
    matrices = np.array(values).reshape(-1, 4, 4)
    return Poses(check_poses(matrices, str(path)), tuple(tuple(line) for line in lines[::5]))


def _read_open3d_json(path: Path) -> Poses:
    """Reads Open3D's PinholeCameraTrajectory, whose matrices are world to camera, column by column."""
    try:
        parameters = json.loads(path.read_text(encoding="utf-8"))["parameters"]
        columns = np.array([entry["extrinsic"] for entry in parameters], dtype=np.float64)
        matrices = np.linalg.inv(columns.reshape(-1, 4, 4).transpose(0, 2, 1))
    except (ValueError, KeyError, TypeError, np.linalg.LinAlgError) as error:
        raise ScanError(
            f"{path} is not a camera trajectory of Open3D ({error!r}): parameters[i].extrinsic must be 16 numbers"
        ) from error
    return Poses(check_poses(matrices, str(path)), ((),) * len(matrices))
