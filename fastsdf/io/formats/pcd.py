# SPDX-License-Identifier: MIT
"""Reads PCD files with Open3D, and their viewpoint, which Open3D ignores, from the header."""

from pathlib import Path
from typing import Any

import numpy as np

from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.attributes import colors_to_uint8
from fastsdf.io.files import require_file
from fastsdf.system.open3d_library import load_open3d

NO_VIEWPOINT = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)  # written by programs that do not know the viewpoint
_MAX_HEADER_LINES = 100  # bounds the search in damaged files; a header has about ten
_Columns = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


def read_pcd_cloud(path: str | Path) -> PointCloud:
    """Read a PCD file (text, binary or compressed); the result is not cleaned.

    The position in the header's VIEWPOINT is the sensor position of all points, in the frame of the points, as in PCL's
    normal estimation. The viewpoint ``0 0 0 1 0 0 0`` counts as unknown, because programs write it as a default.

    Raises:
        ScanError: Open3D cannot be imported, or the file is missing, damaged or not a PCD.
    """
    path = require_file(path)
    try:
        open3d = load_open3d()
    except InputError as error:
        raise ScanError(f"{path}: {error}; or convert the scan to PLY") from error
    header = _header(path)
    read = _read_doubles if "8" in header.get("SIZE", ()) else _read
    try:
        with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
            points, normals, stored = read(open3d, path)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ScanError(f"{path}: open3d cannot read it ({error}): export the file again") from error
    if len(points) == 0:
        raise ScanError(f"{path}: open3d found no points (is it a PCD file?): export the file again, or as PLY")
    colors, notes = colors_to_uint8(stored)
    position = _position(header.get("VIEWPOINT", []))
    if position is None:
        return PointCloud(points, normals, colors, notes=notes)
    notes = (*notes, f"sensor position {tuple(position.tolist())} from the VIEWPOINT of the file")
    return PointCloud(points, normals, colors, np.tile(position, (len(points), 1)), notes)


def _read(open3d: Any, path: Path) -> _Columns:
    """Points, normals and colours; normals and colours may be None."""
    loaded = open3d.io.read_point_cloud(path)
    normals = np.array(loaded.normals) if loaded.has_normals() else None
    return np.array(loaded.points), normals, np.array(loaded.colors) if loaded.has_colors() else None


def _read_doubles(open3d: Any, path: Path) -> _Columns:
    """As `_read`, for files with fields of 8 bytes, which open3d's other reader turns into zeros."""
    point = open3d.t.io.read_point_cloud(str(path)).point
    normals = point.normals.numpy().astype(np.float64) if "normals" in point else None
    colors = point.colors.numpy() if "colors" in point else None
    return point.positions.numpy().astype(np.float64), normals, colors


def _header(path: Path) -> dict[str, list[str]]:
    """The lines of the header: first word -> other words."""
    lines: dict[str, list[str]] = {}
    with open(path, "rb") as stream:
        for _ in range(_MAX_HEADER_LINES):
            words = stream.readline(4096).decode("latin-1").split()
            lines.setdefault(words[0] if words else "", words[1:])
            if words[:1] == ["DATA"]:
                break
    return lines


def _position(words: list[str]) -> np.ndarray | None:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        return None
    known = values.shape == (7,) and np.isfinite(values).all() and not np.array_equal(values, NO_VIEWPOINT)
    return values[:3] if known else None
