# SPDX-License-Identifier: MIT
"""Local spacing, normals and surface area of a point cloud from its nearest neighbours."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

CHUNK = 1 << 18
ROUGHNESS_TO_NOISE = 1.15


@dataclass(frozen=True)
class LocalGeometry:
    """Per-point statistics of a scan, in the units of its points.

    Attributes:
        spacing: (n,) edge of the square of surface that a point stands for (neighbour distance of an even sampling).
        normals: (n, 3) unit PCA normals, of arbitrary sign.
        roughness: (n,) rms distance of the neighbours to their plane.
    """

    spacing: np.ndarray
    normals: np.ndarray
    roughness: np.ndarray

    @property
    def median_spacing(self) -> float:
        """Median of ``spacing``."""
        return float(np.median(self.spacing))

    @property
    def noise(self) -> float:
        """Standard deviation of the points about their local planes: the median roughness, times 1.15 for its bias."""
        return ROUGHNESS_TO_NOISE * float(np.median(self.roughness))

    @property
    def area(self) -> float:
        """Estimated area of the sampled surface: the sum of the points' squares."""
        return float(np.sum(self.spacing**2))


def measure_local_geometry(points: np.ndarray, neighbours: int = 16) -> LocalGeometry:
    """Spacing and PCA normals from the ``neighbours`` nearest points of each point.

    An even sampling of density rho has k points within d_k when rho * pi * d_k^2 = k, so the spacing rho^(-1/2) is
    d_k * sqrt(pi / k).

    Args:
        points: (n, 3) float64, n > neighbours.
        neighbours: size k of the neighbourhood.
    """
    tree = KDTree(points)
    parts = [_measure_chunk(tree, points, i, neighbours) for i in range(0, len(points), CHUNK)]
    spacing, normals, roughness = (np.concatenate(p) for p in zip(*parts, strict=True))
    return LocalGeometry(spacing, normals, roughness)


def _measure_chunk(tree: KDTree, points: np.ndarray, start: int, k: int) -> tuple[np.ndarray, ...]:
    query = points[start : start + CHUNK]
    distance, index = tree.query(query, k + 1, workers=-1)
    spacing = distance[:, -1] * np.sqrt(np.pi / k)
    around = points[index] - query[:, None]
    around -= around.mean(1, keepdims=True)
    covariance = np.einsum("nki,nkj->nij", around, around) / (k + 1)
    values, vectors = np.linalg.eigh(covariance)
    roughness = np.sqrt(np.maximum(values[:, 0], 0.0))
    floor = np.finfo(np.float32).eps * max(float(np.ptp(points, axis=0).max()), 1e-30)
    return np.maximum(spacing, floor), vectors[:, :, 0], roughness
