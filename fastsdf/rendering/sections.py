# SPDX-License-Identifier: MIT
"""Plane sections of a field and maps from above of values at points."""

from typing import NamedTuple

import numpy as np

from fastsdf.rendering.scene import Box
from fastsdf.rendering.viewpoints import Field

SECTION_PIXELS = 320
MAP_CELLS = 160
POINTS_PER_CELL = 8

Names = tuple[str, str, str]


class Section(NamedTuple):
    """Values on a plane that is parallel to two axes.

    Attributes:
        values: (rows, columns), NaN where there are none.
        across, along: (columns,) and (rows,) coordinates of the two axes, world units.
        names: of the two axes.
        plane: where the plane lies, such as "z = 1.20".
    """

    values: np.ndarray
    across: np.ndarray
    along: np.ndarray
    names: tuple[str, str]
    plane: str


def field_section(
    field: Field, box: Box, axis: int, level: float, names: Names, pixels: int = SECTION_PIXELS
) -> Section:
    """Signed distances on the plane where coordinate ``axis`` is ``level``, over a box; names of the three axes.

    ``pixels`` is the number along the longer side of the plane.
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
    """Means of values (n,) at points (n, 3), the third axis up, over the cells of a horizontal grid.

    The cells are so large that they hold 8 points on average, and at most 160 lie along a side.
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
