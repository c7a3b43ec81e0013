# SPDX-License-Identifier: MIT
"""Even subsets of a point cloud."""

import numpy as np
import torch
from torch import Tensor


def even_subset(points: Tensor, edge: float) -> Tensor:
    """int64 indices of the first point in each cube of this edge; points: (n, 3) on any device, edge > 0."""
    low = points.amin(0)
    ijk = ((points - low) / torch.full_like(low, edge)).floor().long()
    size = ijk.amax(0) + 1
    key, order = ((ijk[:, 0] * size[1] + ijk[:, 1]) * size[2] + ijk[:, 2]).sort(stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    return order[first]


def evenly(count: int, most: int) -> np.ndarray:
    """int64 indices of at most ``most`` of ``count`` things, spread evenly over their order."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.int64)
