# SPDX-License-Identifier: MIT
"""Even subsets of a point cloud."""

import numpy as np
import torch
from torch import Tensor


def thin(points: np.ndarray, edge: float) -> np.ndarray:
    """Indices of one point per cube of this edge; points: (n, 3), edge > 0 in their units."""
    return first_per_cube(torch.as_tensor(points), edge).numpy()


def first_per_cube(points: Tensor, edge: float) -> Tensor:
    """Indices of the first point in each cube of this edge, in the order of the cubes; points: (n, 3), n >= 1."""
    ijk = torch.floor((points - points.amin(0)) / edge).long()
    size = ijk.amax(0) + 1
    key = (ijk[:, 0] * size[1] + ijk[:, 1]) * size[2] + ijk[:, 2]
    ordered, index = key.sort(stable=True)
    return index[torch.cat((ordered.new_ones(1, dtype=torch.bool), ordered[1:] != ordered[:-1]))]
