# SPDX-License-Identifier: MIT
"""Draws sections of the field as pictures placed in space: blue in solids, red in the air, black at u = 0."""

from typing import NamedTuple

import numpy as np

from fastsdf.numerics.colormap import interpolate_colors
from fastsdf.rendering.sections import Section

# uint8 RGB; the scale RdBu of matplotlib, as in the report
COLORS = np.array([(5, 48, 97), (67, 147, 195), (247, 247, 247), (214, 96, 77), (103, 0, 31)], dtype=np.float64)
BANDS = 12  # colour steps from 0 to either end of the scale, as in the report
MIN_SCALE_M = 1e-9  # guards against a colour scale of zero length
ROTATIONS = {  # normal axis -> quaternion w, x, y, z from columns, rows and depth of the picture to the world
    0: (0.5, 0.5, 0.5, 0.5),
    1: (0.5**0.5, 0.5**0.5, 0.0, 0.0),
    2: (1.0, 0.0, 0.0, 0.0),
}


class Plane(NamedTuple):
    """A picture placed in space.

    Attributes:
        pixels: (rows, columns, 3) uint8; columns run along the plane's first axis, rows along its second.
        center: (3,) centre of the picture, world units.
        width, height: size of the picture, world units.
        rotation: quaternion w, x, y, z from the axes of the picture to those of the world.
    """

    pixels: np.ndarray
    center: np.ndarray
    width: float
    height: float
    rotation: tuple[float, float, float, float]


def plane_picture(section: Section, axis: int, position: float) -> Plane:
    """Draw a section of the field.

    The colour scale ends at the largest distance in the air and has twelve steps up to it, as in the report.

    Args:
        section: the section.
        axis: index of the axis that is perpendicular to it.
        position: coordinate of the section along this axis, world units.
    """
    pixels = section_pixels(section.values)
    pitch = section.across[1] - section.across[0]
    center = np.insert([section.across[[0, -1]].mean(), section.along[[0, -1]].mean()], axis, position)
    rows, columns = section.values.shape
    return Plane(pixels, center, float(columns * pitch), float(rows * pitch), ROTATIONS[axis])


def section_pixels(values: np.ndarray) -> np.ndarray:
    """Colours (rows, columns, 3) uint8 of signed distances (rows, columns)."""
    limit = max(float(values.max()), MIN_SCALE_M)
    share = np.clip((np.floor(BANDS * values / limit) + 0.5) / BANDS, -1.0, 1.0)
    pixels = interpolate_colors((share + 1) / 2, COLORS).round().astype(np.uint8)
    pixels[on_zero_line(values)] = 0
    return pixels


def on_zero_line(values: np.ndarray) -> np.ndarray:
    """(rows, columns) bool: pixels whose sign differs from that of one of their four neighbours."""
    solid = values < 0
    line = np.zeros(solid.shape, dtype=bool)
    for axis in (0, 1):
        a, b = (np.moveaxis(array, axis, 0) for array in (solid, line))
        differs = a[1:] != a[:-1]
        b[1:] |= differs
        b[:-1] |= differs
    return line
