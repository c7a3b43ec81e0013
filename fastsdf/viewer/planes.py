# SPDX-License-Identifier: MIT
"""Sections of the field as pictures in space: blue in solid, red in the air, a black line at u = 0."""

from typing import NamedTuple

import numpy as np

from fastsdf.numerics.colormap import on_scale
from fastsdf.rendering.sections import Section

COLORS = np.array([(5, 48, 97), (67, 147, 195), (247, 247, 247), (214, 96, 77), (103, 0, 31)], dtype=np.float64)
BANDS = 12
SMALLEST_SCALE_M = 1e-9
TURNS = {  # w, x, y, z: a picture's columns, rows and depth to the two axes of a plane and its normal
    0: (0.5, 0.5, 0.5, 0.5),
    1: (0.5**0.5, 0.5**0.5, 0.0, 0.0),
    2: (1.0, 0.0, 0.0, 0.0),
}


class Plane(NamedTuple):
    """A picture in space.

    Attributes:
        pixels: (rows, columns, 3) uint8; columns run along the plane's first axis, rows along its second.
        middle: (3,) where its middle lies, world units.
        width, height: its sides, world units.
        turn: quaternion w, x, y, z from the picture's axes to the world's.
    """

    pixels: np.ndarray
    middle: np.ndarray
    width: float
    height: float
    turn: tuple[float, float, float, float]


def plane_picture(section: Section, axis: int, position: float) -> Plane:
    """The picture of a section of the field across coordinate ``axis`` at ``position``.

    The colours end at the largest distance in the air, as in the report, and go in steps of a twelfth of it.
    """
    pixels = section_pixels(section.values)
    pitch = section.across[1] - section.across[0]
    middle = np.insert([section.across[[0, -1]].mean(), section.along[[0, -1]].mean()], axis, position)
    rows, columns = section.values.shape
    return Plane(pixels, middle, float(columns * pitch), float(rows * pitch), TURNS[axis])


def section_pixels(values: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) uint8 colours of signed distances (rows, columns)."""
    limit = max(float(values.max()), SMALLEST_SCALE_M)
    share = np.clip((np.floor(BANDS * values / limit) + 0.5) / BANDS, -1.0, 1.0)
    pixels = on_scale((share + 1) / 2, COLORS).round().astype(np.uint8)
    pixels[on_zero_line(values)] = 0
    return pixels


def on_zero_line(values: np.ndarray) -> np.ndarray:
    """(rows, columns) bool: pixels with a neighbour to a side of the other sign."""
    solid = values < 0
    line = np.zeros(solid.shape, dtype=bool)
    for axis in (0, 1):
        a, b = (np.moveaxis(array, axis, 0) for array in (solid, line))
        differs = a[1:] != a[:-1]
        b[1:] |= differs
        b[:-1] |= differs
    return line
