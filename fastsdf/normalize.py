# SPDX-License-Identifier: MIT
"""World frame <-> unit frame: a float64 similarity with bounds that stray points cannot stretch.

The unit frame is the one of the ViscoReg reference code: the scan lies in [-1, 1]^3, so lengths such as the viscosity
are fractions of the scene's half extent.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

CORE_QUANTILE = 0.01
CORE_CELLS = (64, 48, 32, 24, 16, 12, 8)
POINTS_PER_CELL = 4
MIN_CLUSTER_SHARE = 0.01


@dataclass(frozen=True)
class SceneTransform:
    """Similarity ``unit = (world - center_m) / half_extent_m`` and the scene's box in the unit frame.

    Attributes:
        center_m: world position of the unit frame's origin.
        half_extent_m: world length of one unit.
        lower, upper: corners of the scan's robust bounding box, unit frame, within [-1, 1].
    """

    center_m: tuple[float, float, float]
    half_extent_m: float
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

    def to_unit(self, points_m: np.ndarray) -> np.ndarray:
        """(n, 3) world points -> (n, 3) unit-frame points, float64."""
        return (np.asarray(points_m, np.float64) - np.asarray(self.center_m)) / self.half_extent_m

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) unit-frame points -> (n, 3) world points, float64."""
        return np.asarray(points, np.float64) * self.half_extent_m + np.asarray(self.center_m)

    def contains(self, points_m: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """(n,) bool: inside the robust box widened by ``margin`` (unit-frame length)."""
        x = self.to_unit(points_m)
        inside = (x >= np.asarray(self.lower) - margin) & (x <= np.asarray(self.upper) + margin)
        return np.asarray(inside.all(1))

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint; ``SceneTransform(**state)`` restores it."""
        return asdict(self)


def fit_transform(points_m: np.ndarray) -> SceneTransform:
    """The transform that maps a scan's robust bounding box into [-1, 1]^3 (longest side exactly).

    Args:
        points_m: (n, 3) finite world points, not all equal.
    """
    low, high = robust_bounds(points_m)
    center = (low + high) / 2
    half = float((high - low).max() / 2)
    unit = (high - low) / (2 * half)
    return SceneTransform(_triple(center), half, _triple(-unit), _triple(unit))


def robust_bounds(points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounding box (lower, upper) of the scan without its stray points.

    Points are binned into cells of 1/64 of the core's longest side (core: 1% to 99% quantiles), or larger ones until
    they hold four points on average. Cells whose 3x3x3 neighbourhood holds at least three points are kept, and of
    their connected clusters those with at least 1% of the cells; the box bounds the points in them. Being counted in
    cells, a thinly sampled far corner survives while a handful of returns through a window does not.
    """
    q_low, q_high = np.quantile(points_m, [CORE_QUANTILE, 1 - CORE_QUANTILE], axis=0)
    reach = max(float((q_high - q_low).max()), 1e-3 * float(np.ptp(points_m, axis=0).max()))
    near = ((points_m >= q_low - reach) & (points_m <= q_high + reach)).all(1)
    core = points_m[near]
    ijk, counts = _binned(core, reach)
    crowded = ndimage.uniform_filter(counts.astype(np.float32), 3, mode="constant") * 27 > 2.5
    labels, _ = ndimage.label((counts > 0) & crowded, np.ones((3, 3, 3)))  # pyright: ignore
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if not sizes.any():
        return core.min(0), core.max(0)
    kept = np.flatnonzero(sizes >= max(MIN_CLUSTER_SHARE * sizes.sum(), 1))
    inside = core[np.isin(labels[tuple(ijk.T)], kept)]
    return inside.min(0), inside.max(0)


def _binned(points: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Cell of each point (n, 3), from 1, and the points per cell with an empty layer around."""
    for cells in CORE_CELLS[:-1]:
        ijk, counts = _bin(points, reach / cells)
        if len(points) >= POINTS_PER_CELL * np.count_nonzero(counts):
            return ijk, counts
    return _bin(points, reach / CORE_CELLS[-1])


def _bin(points: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    ijk = np.floor((points - points.min(0)) / cell).astype(np.int64) + 1
    counts = np.zeros(ijk.max(0) + 2, np.int32)
    np.add.at(counts, tuple(ijk.T), 1)
    return ijk, counts


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
