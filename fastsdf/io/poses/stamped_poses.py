# SPDX-License-Identifier: MIT
"""Reads poses with time stamps, as in the TUM RGB-D data sets, and interpolates them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from fastsdf.errors import ScanError
from fastsdf.io.files import require_file

MAX_TIME_GAP_S = 0.02  # s between an image and the nearest pose; the limit of the data set's own tools


class Trajectory(NamedTuple):
    """Poses over time.

    Attributes:
        stamps: (m,) seconds, increasing.
        positions: (m, 3) camera positions in the world.
        quaternions: (m, 4) rotations from camera to world, x y z w, unit length.
    """

    stamps: np.ndarray
    positions: np.ndarray
    quaternions: np.ndarray


def read_trajectory(path: str | Path) -> Trajectory:
    """Reads lines ``time x y z qx qy qz qw`` (comment lines start with #).

    Raises:
        ScanError: the file is missing, has no poses, or a line is not eight numbers.
    """
    path = require_file(path)
    lines = [line.replace(",", " ").split() for line in _lines(path)]
    try:
        values = np.array([[float(word) for word in line] for line in lines]).reshape(-1, 8)
    except ValueError as error:
        raise ScanError(f"{path} is not a trajectory ({error}): every line is time x y z qx qy qz qw") from error
    if len(values) == 0:
        raise ScanError(f"{path} holds no poses: every line is time x y z qx qy qz qw")
    values = values[np.argsort(values[:, 0], kind="stable")]
    length = np.linalg.norm(values[:, 4:], axis=1, keepdims=True)
    if not (np.isfinite(values).all() and (length > 0).all()):
        raise ScanError(f"{path} holds poses that are not finite or have the quaternion 0 0 0 0: remove them")
    return Trajectory(values[:, 0], values[:, 1:4], values[:, 4:] / length)


def read_stamped_names(path: str | Path) -> tuple[np.ndarray, list[str]]:
    """Reads lines ``time name``; returns (n,) seconds and the n names.

    Raises:
        ScanError: the file is missing, or a line is not a number and a name.
    """
    path = require_file(path)
    stamps, names = [], []
    for line in _lines(path):
        stamp, _, name = line.partition(" ")
        try:
            stamps.append(float(stamp))
        except ValueError as error:
            raise ScanError(f"{path}: '{line[:60]}' is not a time and a file name ({error})") from error
        names.append(name.strip())
    return np.array(stamps), names


def poses_at(stamps: np.ndarray, trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Interpolates poses between the two neighbours in time (rotations by Slerp).

    Args:
        stamps: (n,) seconds.
        trajectory: the known poses.

    Returns:
        (n, 4, 4) camera to world, and (n,) bool, True if a known pose lies within ``MAX_TIME_GAP_S``.
    """
    times, first = np.unique(trajectory.stamps, return_index=True)  # Slerp needs increasing times
    positions, rotations = trajectory.positions[first], Rotation.from_quat(trajectory.quaternions[first])
    within = np.clip(stamps, times[0], times[-1])
    matrices = np.tile(np.eye(4), (len(stamps), 1, 1))
    matrices[:, :3, :3] = Slerp(times, rotations)(within).as_matrix() if len(times) > 1 else rotations.as_matrix()
    matrices[:, :3, 3] = np.stack([np.interp(within, times, axis) for axis in positions.T], axis=1)
    after = np.searchsorted(times, stamps).clip(max=len(times) - 1)
    gap = np.minimum(np.abs(stamps - times[after]), np.abs(stamps - times[(after - 1).clip(min=0)]))
    return matrices, gap <= MAX_TIME_GAP_S


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="latin-1")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
