# SPDX-License-Identifier: MIT
"""Exact signed distances of simple solids for numeric tests: positive in the air outside, negative inside; metres."""

import numpy as np


def sphere_sdf(x: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to a sphere about the origin."""
    return np.linalg.norm(x, axis=-1) - radius


def box_sdf(x: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to the box [-half, half], half (3,)."""
    return _beyond(np.abs(x) - half)


def cylinder_sdf(x: np.ndarray, radius: float, height: float) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to an upright cylinder on z = 0 with its axis along z."""
    radial = np.linalg.norm(x[..., :2], axis=-1) - radius
    axial = np.abs(x[..., 2] - height / 2.0) - height / 2.0
    return _beyond(np.stack([radial, axial], axis=-1))


def torus_sdf(x: np.ndarray, major: float, minor: float) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to a ring about z: circle radius ``major``, tube radius ``minor``."""
    return np.hypot(np.linalg.norm(x[..., :2], axis=-1) - major, x[..., 2]) - minor


def _beyond(excess: np.ndarray) -> np.ndarray:
    """Distance of a product of intervals from how far each coordinate lies beyond its own interval."""
    return np.linalg.norm(np.maximum(excess, 0.0), axis=-1) + np.minimum(excess.max(axis=-1), 0.0)
