# SPDX-License-Identifier: MIT
"""What a scan says about itself: how even its noise is."""

import numpy as np
import torch

from fastsdf.local_geometry import measure_local_geometry


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


def test_noise_at_a_place_follows_the_neighbours_only_where_it_varies() -> None:
    even = measure_local_geometry(wall_and_air(0.003, 0.003, 0))
    assert (even.noises == even.noise).all()
    uneven = measure_local_geometry(wall_and_air(0.003, 0.012, 0))
    points = uneven.index.points
    calm, rough = (uneven.noises[side] for side in (points[:, 0] < 1.8, points[:, 0] > 2.2))
    assert float(rough.median()) > 1.4 * float(calm.median())
    assert uneven.noises.min() >= uneven.noise and uneven.noises.max() <= 3 * uneven.noise
