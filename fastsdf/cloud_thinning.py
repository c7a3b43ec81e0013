# SPDX-License-Identifier: MIT
"""Even subsets of a point cloud."""

import numpy as np


def thin(points: np.ndarray, edge: float) -> np.ndarray:
    """Indices of one point per cube of this edge; points: (n, 3), edge > 0 in their units."""
    ijk = np.floor((points - points.min(0)) / edge).astype(np.int64)
    size = ijk.max(0) + 1
    key = (ijk[:, 0] * size[1] + ijk[:, 1]) * size[2] + ijk[:, 2]
    return np.unique(key, return_index=True)[1]
