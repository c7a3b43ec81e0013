# SPDX-License-Identifier: MIT
"""Noisy points in rooms with solids inside, and in partial views, with the true normals."""

import numpy as np

SIZE = np.array([6.0, 5.0, 3.0])  # of the room, metres
NOISE = 0.003  # standard deviation, metres


def box_faces(low: np.ndarray, high: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 3), uniform on the faces of a box, and their outward normals."""
    points, size = rng.uniform(low, high, (count, 3)), high - low
    axis = rng.choice(3, count, p=(1 / size) / (1 / size).sum())
    side, row = rng.choice([-1.0, 1.0], count), np.arange(count)
    points[row, axis] = np.where(side < 0, low[axis], high[axis])
    normals = np.zeros((count, 3))
    normals[row, axis] = side
    return points, normals


def shell_with(solids: tuple[tuple[np.ndarray, np.ndarray], ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    """About ``count`` noisy points in a room with solids inside, and the true normals, which point into the air."""
    rng = np.random.default_rng(0)
    boxes = [(np.zeros(3), SIZE), *solids]
    areas = [2 * np.prod(b - a) * (1 / (b - a)).sum() for a, b in boxes]
    counts = [round(count * area / sum(areas)) for area in areas]
    parts = [box_faces(a, b, n, rng) for (a, b), n in zip(boxes, counts, strict=True)]
    points = np.concatenate([p for p, _ in parts])
    normals = np.concatenate([-parts[0][1], *(n for _, n in parts[1:])])
    inside = (points > 1e-9).all(1) & (points < SIZE - 1e-9).all(1)  # faces that touch the shell are hidden
    seen = np.flatnonzero(inside | (np.arange(len(points)) < counts[0]))
    return points[seen] + NOISE * rng.standard_normal((len(seen), 3)), normals[seen]


def corner() -> np.ndarray:
    """Points on a wall and a part of the floor, with nothing opposite."""
    rng = np.random.default_rng(1)
    u, v = rng.uniform(0, 3, (2, 6000)), rng.uniform(0, 2, 6000)
    wall, floor = np.stack([0 * v, u[0], v], 1), np.stack([v, u[1], 0 * v], 1)
    return np.concatenate([wall, floor]) + NOISE * rng.standard_normal((12_000, 3))


CABINET = (np.array([1.0, 0.0, 0.0]), np.array([2.0, 0.6, 1.2]))  # lower and upper corner, metres


def partial_view(count: int = 40_000, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Points that a camera sees of a corner with a cabinet (two walls, some floor), and the normals into the air."""
    points, air = shell_with((CABINET,), count)
    eye = np.array([3.5, 3.5, 1.5])
    in_view = (points[:, 0] < 3.2) & (points[:, 1] < 3.2) & (points[:, 2] < 2.4)
    keep = in_view & (((eye - points) * air).sum(1) > 0)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(keep))
    return points[order], air[order]
