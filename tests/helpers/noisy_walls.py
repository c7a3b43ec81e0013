# SPDX-License-Identifier: MIT
"""Noisy points on a wall, and outliers in the air."""

import numpy as np
import torch


def wall_and_air(noise: float, far_noise: float, strays: int) -> torch.Tensor:
    """20,000 points on a wall of 4 x 2 m, and outliers in front of it.

    Args:
        noise, far_noise: standard deviations on the two halves of the wall, metres.
        strays: number of outliers.
    """
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 4, 20_000), rng.uniform(0, 2, 20_000)
    wall = np.stack([x, y, np.where(x < 2, noise, far_noise) * rng.normal(size=x.size)], 1)
    return torch.from_numpy(np.concatenate([wall, rng.uniform(0.3, 2.0, (strays, 3))]))
