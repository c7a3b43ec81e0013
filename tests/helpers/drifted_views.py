# SPDX-License-Identifier: MIT
"""Boxes measured by several scanners whose poses are wrong by small rigid motions."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from fastsdf.geometry import PointCloud

SIZE = np.array([5.0, 4.0, 2.5])  # of the room, metres


def box_points(rng: np.random.Generator, count: int, low: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Random points (count, 3) on the faces of a box."""
    x = low + size * rng.random((count, 3))
    axis = rng.choice(3, count)
    x[np.arange(count), axis] = (low + size * rng.integers(0, 2, (count, 3)))[np.arange(count), axis]
    return x


def scanned_room(views: int = 3, points: int = 6000, noise_m: float = 0.002, seed: int = 0) -> PointCloud:
    """A room with a cupboard, its points in order of the views, with sensor positions and no view indices."""
    rng = np.random.default_rng(seed)
    clouds, sensors = [], []
    for view in range(views):
        cupboard = box_points(rng, points // 4, np.array([0.5, 0.4, 0.0]), np.array([0.8, 0.6, 1.5]))
        x = np.concatenate([box_points(rng, points - len(cupboard), np.zeros(3), SIZE), cupboard])
        sensor = np.array([2.0 + 0.5 * view, 2.0 + 0.3 * view, 1.5])
        rays = x - sensor
        ranges = np.linalg.norm(rays, axis=1, keepdims=True)
        clouds.append(x + noise_m * rng.standard_normal((points, 1)) * rays / ranges)
        sensors.append(np.tile(sensor, (points, 1)))
    return PointCloud(np.concatenate(clouds), sensors=np.concatenate(sensors))


def drifted(cloud: PointCloud, view: np.ndarray, shift_m: float, turn_deg: float, seed: int = 0) -> PointCloud:
    """The cloud with each view (n,) turned about its sensor and shifted at random, 1 sigma per axis."""
    assert cloud.sensors is not None
    rng = np.random.default_rng(seed)
    points, sensors = cloud.points.copy(), cloud.sensors.copy()
    for number in np.unique(view):
        rows = view == number
        turn = Rotation.from_rotvec(np.radians(turn_deg) * rng.standard_normal(3)).as_matrix()
        shift = shift_m * rng.standard_normal(3)
        points[rows] = (points[rows] - sensors[rows]) @ turn.T + sensors[rows] + shift
        sensors[rows] += shift
    return replace(cloud, points=points, sensors=sensors)


def view_errors(found: PointCloud, true: PointCloud, view: np.ndarray) -> np.ndarray:
    """Root mean square displacement of each view, after the rigid motion that all have in common is removed."""
    a, b = true.points - true.points.mean(0), found.points - found.points.mean(0)
    gap = b @ Rotation.align_vectors(a, b)[0].as_matrix().T - a
    return np.array([np.sqrt((gap[view == number] ** 2).sum(1).mean()) for number in np.unique(view)])
