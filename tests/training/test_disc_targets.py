# SPDX-License-Identifier: MIT
"""Intervals of near targets: a normal weight above 1 counts as 1."""

import torch

from fastsdf.spatial.knn import point_index
from fastsdf.training.disc_targets import disc_distance


def test_one_heavy_normal_does_not_make_its_neighbours_certain() -> None:
    """Eight points of a plane, seven of uncertain normal (0.15) and one on a plane that many points agree on (5)."""
    points = torch.tensor([[x, y, 0.0] for x in range(4) for y in range(2)], dtype=torch.float64)
    normals = torch.tensor([0.0, 0.0, 1.0]).double().expand(8, 3)
    ones, weight = torch.ones(8, dtype=torch.float64), torch.full((8,), 0.15, dtype=torch.float64)
    weight[7] = 5.0
    sample = torch.tensor([[1.5, 0.5, 1.0]], dtype=torch.float64)
    index = point_index(points)
    gap = index.query(sample, 1)[0][0, 0]
    lower, upper, _ = disc_distance(sample, index, normals, 1e3 * ones, ones, weight)  # all eight count alike
    mean_weight = (7 * 0.15 + 1) / 8
    torch.testing.assert_close((upper - lower)[0], 2 * (1 - mean_weight) * gap, rtol=1e-5, atol=0)
