# SPDX-License-Identifier: MIT
"""Even subsets of a point cloud."""

import numpy as np
import torch
from torch import Tensor


def thin(points: np.ndarray, edge: float) -> np.ndarray:
    """Indices of one point per cube of this edge; points: (n, 3), edge > 0 in their units."""
    return even_subset(torch.as_tensor(points), edge).numpy()


def even_subset(points: Tensor, edge: float) -> Tensor:
    """`thin` for points on any device: int64 indices, of the first point in each cube."""
    low = points.amin(0)
    ijk = ((points - low) / torch.full_like(low, edge)).floor().long()
    size = ijk.amax(0) + 1
    key, order = ((ijk[:, 0] * size[1] + ijk[:, 1]) * size[2] + ijk[:, 2]).sort(stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    return order[first]
