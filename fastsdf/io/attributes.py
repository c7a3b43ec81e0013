# SPDX-License-Identifier: MIT
"""Turns named columns (PLY properties, headers of text files) into the attributes of a point cloud."""

from collections.abc import Mapping

import numpy as np

from fastsdf.geometry import PointCloud

# Known column names, lower case; the first that a file has is used.
POINT_NAMES = ("x", "y", "z")
SENSOR_NAMES = ("sx", "sy", "sz")
NORMAL_NAMES = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"), ("normalx", "normaly", "normalz"))
COLOR_NAMES = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
TIME_NAMES = ("gps_time", "gpstime", "time", "timestamp", "time_stamp")
VIEW_NAMES = ("view", "view_index", "scan", "scan_index", "frame", "frame_index")


def cloud_from_columns(columns: Mapping[str, np.ndarray]) -> PointCloud:
    """Builds a point cloud from (n,) columns with lower-case names as in PLY files; x, y and z are required.

    Unknown columns (intensity, curvature, ...) are ignored.
    """
    colors, notes = colors_to_uint8(_first_group(columns, COLOR_NAMES))
    return PointCloud(
        points=np.stack([columns[name] for name in POINT_NAMES], axis=1).astype(np.float64),
        normals=as_float64(_first_group(columns, NORMAL_NAMES)),
        colors=colors,
        sensors=as_float64(_first_group(columns, (SENSOR_NAMES,))),
        notes=notes,
        views=_view_column(columns),
        times=_time_column(columns),
    )


def colors_to_uint8(colors: np.ndarray | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Converts (n, 3) colours to uint8; their largest value tells floats up to 1, 8-bit and 16-bit values apart.

    Returns:
        The (n, 3) uint8 colours, or None if there are none or some are not finite; and the notes to report.
    """
    if colors is None or len(colors) == 0 or colors.dtype == np.uint8:
        return colors, ()
    if not np.isfinite(colors).all():
        return None, ("colours ignored: they hold values that are not finite",)
    largest = colors.max()
    if colors.dtype.kind == "f" and largest <= 1:
        scale = 255.0
    else:
        scale = 1.0 if largest <= 255 else 255.0 / 65535.0
    return np.clip(np.rint(colors * scale), 0, 255).astype(np.uint8), ()


def _first_group(columns: Mapping[str, np.ndarray], groups: tuple[tuple[str, ...], ...]) -> np.ndarray | None:
    for names in groups:
        if all(name in columns for name in names):
            return np.stack([columns[name] for name in names], axis=1)
    return None


def _view_column(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The first column (n,) with the name of a view index, if it has whole numbers only."""
    for name in VIEW_NAMES:
        values = columns.get(name)
        if values is not None and values.dtype.kind in "iuf" and np.isfinite(values).all():
            return values.astype(np.int64) if np.array_equal(values, np.rint(values)) else None
    return None


def _time_column(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The first column (n,) with the name of a time whose numbers are all finite."""
    for name in TIME_NAMES:
        values = columns.get(name)
        if values is not None and values.dtype.kind in "iuf" and np.isfinite(values).all():
            return values.astype(np.float64)
    return None


def as_float64(values: np.ndarray | None) -> np.ndarray | None:
    """Converts to float64; None stays None."""
    return None if values is None else values.astype(np.float64)
