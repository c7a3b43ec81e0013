# SPDX-License-Identifier: MIT
"""A pinhole camera that projects world points to pixels and depths."""

import math
from typing import NamedTuple

import numpy as np


class Camera(NamedTuple):
    """A pinhole camera whose pixel (column, row) covers [column, column + 1) x [row, row + 1).

    Attributes:
        eye: (3,) world position.
        axes: (3, 3) unit vectors pointing right, down and forward, one per row.
        focal: focal length, pixels.
        width, height: size of the picture, pixels.
    """

    eye: np.ndarray
    axes: np.ndarray
    focal: float
    width: int
    height: int

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) in camera coordinates (n, 3): right, down and depth relative to the eye, world units."""
        return (points - self.eye) @ self.axes.T

    def to_screen(self, points: np.ndarray) -> np.ndarray:
        """Project camera points (..., 3) of positive depth to pixel coordinates (..., 2): column and row."""
        center = np.array([self.width, self.height]) / 2
        return self.focal * points[..., :2] / points[..., 2:] + center

    def scaled(self, factor: int) -> "Camera":
        """The same view with ``factor`` times the pixels per axis."""
        return Camera(self.eye, self.axes, factor * self.focal, factor * self.width, factor * self.height)


def look_along(
    eye: np.ndarray, forward: np.ndarray, up: np.ndarray, fov: float, size: tuple[int, int] = (960, 600)
) -> Camera:
    """A camera given by its position and direction of view.

    Args:
        eye: (3,) world position.
        forward: (3,) direction of view, of any length.
        up: (3,) direction that points up in the picture; not parallel to ``forward``.
        fov: horizontal field of view, radians.
        size: width and height, pixels.
    """
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward])
    return Camera(np.asarray(eye, np.float64), axes, size[0] / (2 * math.tan(fov / 2)), *size)


def fit_to_view(points: np.ndarray, camera: Camera, margin: float = 1.03) -> Camera:
    """Move a camera along its direction of view, centred on some points, until they just fit into the picture.

    Args:
        points: (n, 3) world points.
        camera: gives the direction of view and the focal length; its position is ignored.
        margin: factor on the extent of the points in the picture.
    """
    center = (points.min(0) + points.max(0)) / 2
    offsets = (points - center) @ camera.axes.T
    slopes = np.array([camera.width, camera.height]) / (2 * camera.focal)
    distance = (margin * np.abs(offsets[:, :2]) / slopes - offsets[:, 2:]).max()
    return camera._replace(eye=center - distance * camera.axes[2])
