# SPDX-License-Identifier: MIT
"""Planar sections of a field, and maps of point values as seen from above."""

from typing import NamedTuple

import numpy as np

from fastsdf.rendering.scene import Box
from fastsdf.rendering.viewpoints import Field

SECTION_PIXELS = 320  # on the longer side; chosen: fine enough for the width of a chart
MAP_CELLS = 160  # maximum per side; chosen: fine enough for the width of a chart
POINTS_PER_CELL = 8  # on average; chosen: few empty cells, not swept

Names = tuple[str, str, str]


class Section(NamedTuple):
    """Values on a regular grid in a plane that is parallel to two axes.

    Attributes:
        values: (rows, columns); NaN where there is no value.
        across, along: (columns,) and (rows,) coordinates along the two axes, world units.
        names: names of the two axes.
        plane: description of the plane, such as "z = 1.20".
    """

    values: np.ndarray
    across: np.ndarray
    along: np.ndarray
    names: tuple[str, str]
    plane: str


def field_section(
    field: Field, box: Box, axis: int, level: float, names: Names, pixels: int = SECTION_PIXELS
) -> Section:
    """Sample signed distances on an axis-aligned plane.

    Args:
        field: signed distances (n,) at points (n, 3).
        box: bounds of the section.
        axis: index of the axis that is perpendicular to the plane.
        level: coordinate of the plane along ``axis``, world units.
        names: names of the three axes.
        pixels: number of samples along the longer side of the plane.
    """
    lower, upper = box
    first, second = (i for i in range(3) if i != axis)
    pitch = max(upper[first] - lower[first], upper[second] - lower[second]) / pixels
    across, along = (np.arange(lower[i], upper[i] + pitch / 2, pitch) for i in (first, second))
    points = np.full((len(along), len(across), 3), level, dtype=np.float64)
    points[..., first], points[..., second] = across, along[:, None]
    values = field(points.reshape(-1, 3)).reshape(points.shape[:2])
    return Section(values, across, along, (names[first], names[second]), f"{names[axis]} = {level:.2f}")


def map_from_above(points: np.ndarray, values: np.ndarray, names: Names) -> Section:
    """Average point values over the cells of a horizontal grid.

    A cell holds 8 points on average, or more where the grid would have more than 160 cells on a side.

    Args:
        points: (n, 3), third axis up.
        values: (n,) values at the points.
        names: names of the three axes.
    """
    low, extent = points[:, :2].min(0), np.ptp(points[:, :2], axis=0)
    finest = np.sqrt(np.prod(extent) * POINTS_PER_CELL / len(points))
    pitch = max(extent.max() / MAP_CELLS, finest, np.finfo(np.float64).tiny)
    columns, rows = np.floor(extent / pitch).astype(int) + 1
    cell = np.minimum(((points[:, :2] - low) / pitch).astype(int), [columns - 1, rows - 1])
    number = cell[:, 1] * columns + cell[:, 0]
    count = np.bincount(number, minlength=rows * columns)
    total = np.bincount(number, values, minlength=rows * columns)
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    across, along = (low[i] + pitch * (np.arange(n) + 0.5) for i, n in enumerate((columns, rows)))
    return Section(mean.reshape(rows, columns), across, along, names[:2], "seen from above")
