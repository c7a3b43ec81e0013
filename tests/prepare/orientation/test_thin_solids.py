# SPDX-License-Identifier: MIT
"""The second face of a board is found; a step, an edge and a corner do not count as one."""

import numpy as np
import torch

from fastsdf.prepare.orientation.thin_solids import has_second_face
from fastsdf.spatial.knn import point_index

CELL = 0.027


def sheet(low: tuple[float, float], high: tuple[float, float], height: float, seed: int) -> np.ndarray:
    """Points 12 mm apart on a level rectangle."""
    count = round((high[0] - low[0]) * (high[1] - low[1]) / 0.012**2)
    xy = np.random.default_rng(seed).uniform(low, high, (count, 2))
    return np.column_stack([xy, np.full(count, height)])


def found(parts: list[np.ndarray], normals: list[tuple[float, float, float]], surfels: list[list[float]]) -> list:
    points = torch.from_numpy(np.concatenate(parts))
    axis = np.concatenate([np.tile(n, (len(p), 1)) for p, n in zip(parts, normals, strict=True)])
    surfel_points = torch.tensor(surfels, dtype=torch.float64)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(surfel_points), 3)
    return has_second_face(surfel_points, up, point_index(points), torch.from_numpy(axis), CELL).tolist()


def test_each_face_of_a_board_has_the_other_behind_it() -> None:
    board = [sheet((0, 0), (1, 1), 0.0, 0), sheet((0, 0), (1, 1), 0.02, 1)]
    assert found(board, [(0, 0, -1), (0, 0, 1)], [[0.5, 0.5, 0.02], [0.5, 0.5, 0.0]]) == [[False, True], [True, False]]


def test_faces_far_apart_are_not_those_of_one_board() -> None:
    wall = [sheet((0, 0), (1, 1), 0.0, 0), sheet((0, 0), (1, 1), 0.1, 1)]
    assert found(wall, [(0, 0, 1), (0, 0, 1)], [[0.5, 0.5, 0.1], [0.5, 0.5, 0.0]]) == [[False, False]] * 2


def test_a_step_is_no_board() -> None:
    step = [sheet((0, 0), (0.5, 1), 0.0, 0), sheet((0.5, 0), (1, 1), 0.02, 1)]
    assert found(step, [(0, 0, 1), (0, 0, 1)], [[0.49, 0.5, 0.0], [0.51, 0.5, 0.02]]) == [[False, False]] * 2


def test_a_wall_beside_a_floor_is_no_board() -> None:
    floor = sheet((0, 0), (1, 1), 0.0, 0)
    wall = sheet((0, 0), (1, 1), 0.0, 1)[:, [2, 0, 1]]
    assert found([floor, wall], [(0, 0, 1), (1, 0, 0)], [[0.01, 0.5, 0.0]]) == [[False, False]]


def test_noise_is_no_second_face() -> None:
    rng = np.random.default_rng(0)
    wall = sheet((0, 0), (1, 1), 0.0, 0)
    wall[:, 2] += 0.01 * rng.normal(size=len(wall))
    points, axis = torch.from_numpy(wall), torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(wall), 3)
    surfels, index = points[(points[:, :2] - 0.5).abs().amax(1) < 0.4], point_index(points)
    assert float(has_second_face(surfels, axis[: len(surfels)], index, axis, CELL).any(1).double().mean()) > 0.3
    assert float(has_second_face(surfels, axis[: len(surfels)], index, axis, CELL, 0.01).any(1).double().mean()) < 0.01
