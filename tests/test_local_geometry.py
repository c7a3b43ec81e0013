# SPDX-License-Identifier: MIT
"""What a scan says about itself: how even its noise is, and which points lie on no surface."""

import numpy as np
import pytest
import torch
from test_support import SPACING, flat_mesh, measured_support

from fastsdf.local_geometry import measure_local_geometry
from fastsdf.meshing.support import Support


def wall_and_air(noise: float, far_noise: float, strays: int) -> torch.Tensor:
    """20,000 points on a wall of 4 x 2 m, one half of it with other noise, and strays in the room before it."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 4, 20_000), rng.uniform(0, 2, 20_000)
    wall = np.stack([x, y, np.where(x < 2, noise, far_noise) * rng.normal(size=x.size)], 1)
    return torch.from_numpy(np.concatenate([wall, rng.uniform(0.3, 2.0, (strays, 3))]))


def test_even_noise_has_a_spread_of_one_fifth() -> None:
    even = measure_local_geometry(wall_and_air(0.003, 0.003, 0))
    assert 1.05 < even.noise_spread < 1.3
    assert measure_local_geometry(wall_and_air(0.003, 0.012, 0)).noise_spread > 1.5


def test_strays_in_the_air_are_scattered_and_the_wall_is_not() -> None:
    scattered = measure_local_geometry(wall_and_air(0.003, 0.003, 300)).scattered
    assert float(scattered[20_000:].double().mean()) > 0.8
    assert float(scattered[:20_000].double().mean()) < 1e-3


def test_a_sparse_wall_is_not_scattered() -> None:
    points = wall_and_air(0.003, 0.003, 0)
    sparse = torch.cat([points, torch.tensor([0.0, 0.0, 3.0]) + points[::100]])
    assert not measure_local_geometry(sparse).scattered.any()


def test_scattered_points_vouch_for_no_surface() -> None:
    mesh = flat_mesh()
    normals = np.tile([0.0, 0.0, 1.0], (len(mesh.vertices), 1))
    spacing, left = np.full(len(normals), SPACING), mesh.vertices[:, 0] < 0.4
    support = Support(mesh.vertices, normals, spacing, 0.001, scattered=left)
    count = measured_support(mesh, support, 1.5, 3.0)
    assert count[mesh.vertices[:, 0] < 0.36].max() == 0
    assert count[mesh.vertices[:, 0] > 0.44].min() >= 2
    assert support.radii(1.5)[~left] == pytest.approx(1.5 * SPACING)
