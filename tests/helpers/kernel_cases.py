# SPDX-License-Identifier: MIT
"""Inputs for the tests of the kernels for preparing a scan, small enough for Triton's interpreter."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

UTM = np.array([4e5, 5e6, 100.0])  # metres; typical UTM coordinates


def neighbour_cases() -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Points (n, 3), query points (m, 3) and the number of neighbours, by name."""
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(190, 3))
    flat, line = ball * (1, 1, 0), ball[:, :1] * (1.0, 2.0, -0.5)
    strays = np.concatenate([ball, [[1e6, 0, 0], [0, -1e5, 3e5], [40.0, 40.0, -40.0]]])
    uneven = np.concatenate([ball, 1e-3 * ball[:90] + 0.3])
    return {
        "odd counts": (ball[:187], rng.normal(size=(37, 3)), 17),
        "its own points": (ball, ball[::5], 8),
        "one neighbour": (ball, rng.normal(size=(33, 3)), 1),
        "more neighbours than points": (ball[:5], ball[:40], 8),
        "one point": (ball[:1], ball[:3], 4),
        "a full leaf": (ball[:16], ball[:32], 16),
        "no queries": (ball, np.zeros((0, 3)), 8),
        "duplicates": (np.repeat(ball[:40], 3, axis=0), ball[:35], 5),
        "all equal": (np.tile(ball[:1], (70, 1)), ball[:9], 17),
        "stray points": (strays, np.concatenate([strays[-6:], ball[:20]]), 8),
        "uneven density": (uneven, uneven[::13] + 1e-4, 8),
        "outside": (ball, 30.0 + ball[:20], 8),
        "on a plane": (flat, ball[:20], 8),
        "on a line": (line, ball[:20], 8),
        "large coordinates": (ball + UTM, ball[::7] + UTM, 8),
    }


def brute_force(points: np.ndarray, queries: np.ndarray, count: int) -> np.ndarray:
    """Distances (m, min(count, n)) to the nearest points, in ascending order."""
    return np.sort(np.linalg.norm(queries[:, None] - points, axis=2), axis=1)[:, :count]


def check_neighbours(points: np.ndarray, queries: np.ndarray, count: int, distance: Tensor, index: Tensor) -> None:
    """Checks that the neighbours are distinct, have the stated distances, and are the nearest points."""
    expected = brute_force(points, queries, count)
    assert distance.shape == index.shape == expected.shape and index.dtype == torch.int64
    assert all(len(set(row)) == len(row) for row in index.tolist())
    true = np.linalg.norm(queries[:, None] - points[index.numpy()], axis=2)
    for found in (distance.numpy(), true):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)


def occupied_voxels() -> dict[str, Tensor]:
    """Grids (x, y, z) of occupied voxels, bool, by name."""
    some = torch.from_numpy(np.random.default_rng(1).random((23, 9, 14)) < 0.01)
    far = torch.zeros(300, 2, 3, dtype=torch.bool)
    far[3, 1, 0] = True
    return {"some": some, "none": torch.zeros(5, 4, 3, dtype=torch.bool), "far": far}


def clearance_of(occupied: Tensor) -> np.ndarray:
    """Chessboard distances (x, y, z) uint8 by scipy, at most 255."""
    if not occupied.any():
        return np.full(occupied.shape, 255, np.uint8)
    distance = np.asarray(ndimage.distance_transform_cdt(~occupied.numpy(), "chessboard"))
    return np.minimum(distance, 255).astype(np.uint8)


def rays() -> tuple[Tensor, Tensor, Tensor]:
    """Clearance of the grid ``some``, ray origins (r, 3) inside and outside of it, and unit directions (r, 3)."""
    generator = torch.Generator().manual_seed(0)
    origins = torch.rand(301, 3, generator=generator) * torch.tensor([27.0, 13.0, 18.0]) - 2
    directions = torch.nn.functional.normalize(torch.randn(301, 3, generator=generator), dim=1)
    return torch.from_numpy(clearance_of(occupied_voxels()["some"])), origins, directions
