# SPDX-License-Identifier: MIT
"""A pinhole camera: from world points to pixels and depths."""

import math
from typing import NamedTuple

import numpy as np


class Camera(NamedTuple):
    """A pinhole whose pixel (column, row) covers [column, column + 1) x [row, row + 1).

    Attributes:
        eye: (3,) world position.
        axes: (3, 3) rows: unit vectors to the right, down and forward.
        focal: pixels per unit of x / depth.
        width, height: of the picture, pixels.
    """

    eye: np.ndarray
    axes: np.ndarray
    focal: float
    width: int
    height: int

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) as (n, 3): right, down and depth, world units from the eye."""
        return (points - self.eye) @ self.axes.T

    def to_screen(self, points: np.ndarray) -> np.ndarray:
        """Camera points (..., 3) with depth above 0 as (..., 2): column and row."""
        middle = np.array([self.width, self.height]) / 2
        return self.focal * points[..., :2] / points[..., 2:] + middle

    def scaled(self, factor: int) -> "Camera":
        """The same view with ``factor`` times as many pixels each way."""
        return Camera(self.eye, self.axes, factor * self.focal, factor * self.width, factor * self.height)


def look_along(
    eye: np.ndarray, forward: np.ndarray, up: np.ndarray, fov: float, size: tuple[int, int] = (960, 600)
) -> Camera:
    """A camera at a place.

    Args:
        eye: (3,) world position.
        forward: (3,) direction of view, of any length.
        up: (3,) what is up in the picture; not along ``forward``.
        fov: horizontal field of view, radians.
        size: width and height, pixels.
    """
    ahead = forward / np.linalg.norm(forward)
    right = np.cross(ahead, up)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(ahead, right), ahead])
    return Camera(np.asarray(eye, np.float64), axes, size[0] / (2 * math.tan(fov / 2)), *size)


def framing(points: np.ndarray, camera: Camera, margin: float = 1.03) -> Camera:
    """The camera moved along its axis of view through the points' middle, so far that all just fit in.

    Args:
        points: (n, 3) world points.
        camera: its eye is ignored.
        margin: factor on the size of what has to fit.
    """
    middle = (points.min(0) + points.max(0)) / 2
    apart = (points - middle) @ camera.axes.T
    slopes = np.array([camera.width, camera.height]) / (2 * camera.focal)
    distance = (margin * np.abs(apart[:, :2]) / slopes - apart[:, 2:]).max()
    return camera._replace(eye=middle - distance * camera.axes[2])
