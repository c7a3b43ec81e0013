# SPDX-License-Identifier: MIT
"""A tiny scan, and fastsdf in child processes, for the tests of the command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from fastsdf.geometry import PointCloud
from fastsdf.io import write_point_cloud

SIZE_M = np.array([4.0, 3.0, 2.5])  # metres; chosen: a small room with three different sides


def box_room(count: int = 6000, seed: int = 0) -> PointCloud:
    """Points, uniform per area, on the inside of a box, with 2 mm of noise and one sensor at the centre."""
    rng = np.random.default_rng(seed)
    areas = np.array([SIZE_M[1] * SIZE_M[2], SIZE_M[0] * SIZE_M[2], SIZE_M[0] * SIZE_M[1]])
    axis = rng.choice(3, count, p=areas / areas.sum())
    points = rng.random((count, 3)) * SIZE_M
    rows = np.arange(count)
    points[rows, axis] = rng.integers(0, 2, count) * SIZE_M[axis] + rng.normal(0, 0.002, count)
    return PointCloud(points, sensors=np.tile(SIZE_M / 2, (count, 1)))


def write_scan(folder: Path, cloud: PointCloud, name: str = "scan.ply") -> Path:
    """Writes a scan and returns its path."""
    path = folder / name
    write_point_cloud(cloud, path)
    return path


def command(*arguments: object, before: str = "") -> list[str]:
    """A command line that runs fastsdf in a child process, after the Python statements in ``before``."""
    return [sys.executable, "-c", f"{before}\nfrom fastsdf.commands.app import main; main()", *map(str, arguments)]


def run(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    """Runs fastsdf in a child process and captures its output."""
    return subprocess.run(command(*arguments, before=before), capture_output=True, text=True, timeout=300)
