# SPDX-License-Identifier: MIT
"""Exact signed distances to simple solids, for tests: positive outside (in the air), negative inside; metres."""

import numpy as np


def sphere_sdf(x: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to a sphere centred at the origin."""
    return np.linalg.norm(x, axis=-1) - radius


def box_sdf(x: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to the box [-half, half], half (3,)."""
    return _product_distance(np.abs(x) - half)


def cylinder_sdf(x: np.ndarray, radius: float, height: float) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to a cylinder around the z axis that stands on z = 0."""
    radial = np.linalg.norm(x[..., :2], axis=-1) - radius
    axial = np.abs(x[..., 2] - height / 2.0) - height / 2.0
    return _product_distance(np.stack([radial, axial], axis=-1))


def torus_sdf(x: np.ndarray, major: float, minor: float) -> np.ndarray:
    """Signed distance (n,) of points (n, 3) to a torus around the z axis with radii ``major`` and ``minor`` (tube)."""
    return np.hypot(np.linalg.norm(x[..., :2], axis=-1) - major, x[..., 2]) - minor


def _product_distance(excess: np.ndarray) -> np.ndarray:
    """Signed distance (...) to a product of intervals; ``excess`` (..., k) is that to the single intervals."""
    return np.linalg.norm(np.maximum(excess, 0.0), axis=-1) + np.minimum(excess.max(axis=-1), 0.0)
