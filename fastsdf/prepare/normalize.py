# SPDX-License-Identifier: MIT
"""Maps between the world frame and the unit frame by a float64 similarity that ignores stray points.

As in the ViscoReg reference code, the scan lies in [-1, 1]^3 of the unit frame, so lengths such as the viscosity are
fractions of the scene's half extent.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from fastsdf.numerics.quantiles import quantiles

CORE_QUANTILE = 0.01  # of the coordinates; the core leaves out 1% at each end. Chosen: more than scans have strays
CORE_CELLS = (64, 48, 32, 24, 16, 12, 8)  # cells along the core's longest side, tried in this order. Chosen
POINTS_PER_CELL = 4  # mean points per occupied cell; fewer would leave cells of a surface empty. Chosen
MIN_CLUSTER_SHARE = 0.01  # of cells or points; smaller clusters are strays, such as returns through a window. Chosen
MIN_NEIGHBOURHOOD_POINTS = 2.5  # between 2 and 3: a crowded 3x3x3 neighbourhood holds at least three points
ROUNDING = 1e-9  # unit-frame length; keeps points that define the box inside it in spite of rounding
BOX_PADDING = 0.08  # half extents of the scene that the field is trained beyond the scan's box. Chosen


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
        out = np.array(points_m, np.float64)
        out -= np.asarray(self.center_m)
        out /= self.half_extent_m
        return out

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) unit-frame points -> (n, 3) world points, float64."""
        out = np.array(points, np.float64)
        out *= self.half_extent_m
        out += np.asarray(self.center_m)
        return out

    def contains(self, points_m: np.ndarray | Tensor, margin: float = 0.0) -> np.ndarray:
        """(n,) bool: inside the robust box, its faces included, widened by ``margin`` (unit-frame length)."""
        x = self.centered(torch.as_tensor(points_m).double()) / self.half_extent_m
        lower, upper = (torch.tensor(c, dtype=x.dtype, device=x.device) for c in (self.lower, self.upper))
        margin += ROUNDING
        return ((x >= lower - margin) & (x <= upper + margin)).all(1).cpu().numpy()

    def centered(self, points_m: Tensor) -> Tensor:
        """World points (n, 3), float64 on any device, relative to the scene's center."""
        return points_m - points_m.new_tensor(self.center_m)

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint; ``SceneTransform(**state)`` restores it."""
        return asdict(self)


def fit_transform(points_m: np.ndarray | Tensor) -> SceneTransform:
    """The transform that maps a scan's robust bounding box into [-1, 1]^3 (longest side exactly).

    Args:
        points_m: (n, 3) finite float64 world points, not all equal; a tensor is measured on its device.
    """
    low, high = robust_bounds(points_m)
    center = (low + high) / 2
    half = float((high - low).max() / 2)
    unit = (high - low) / (2 * half)
    return SceneTransform(_triple(center), half, _triple(-unit), _triple(unit))


def robust_bounds(points_m: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Bounding box (lower, upper) of the scan without its stray points.

    Points are binned into cells of 1/64 of the core's longest side (core: 1% to 99% quantiles), or larger cells until
    occupied ones hold four points on average. Cells whose 3x3x3 neighbourhood holds at least three points are kept if
    their connected cluster has at least 1% of the kept cells or of the points. The box bounds the points in these
    cells. So a sparsely sampled far corner is kept, and so is a small object apart that was scanned densely, while a
    few returns through a window are dropped.
    """
    points = torch.as_tensor(points_m)
    core_box = quantiles(points, (CORE_QUANTILE, 1 - CORE_QUANTILE))
    q_low, q_high = torch.as_tensor(core_box, device=points.device)
    extent = (points.amax(0) - points.amin(0)).max()
    reach = max(float((q_high - q_low).max()), 1e-3 * float(extent))
    core = points[((points >= q_low - reach) & (points <= q_high + reach)).all(1)]
    cell_of, counts = _binned(core, reach)
    kept = _large_clusters(counts.cpu().numpy())
    inside = core[torch.as_tensor(kept, device=core.device).view(-1)[cell_of]] if kept.any() else core
    return inside.amin(0).cpu().numpy(), inside.amax(0).cpu().numpy()


def _large_clusters(counts: np.ndarray) -> np.ndarray:
    """(x, y, z) bool: cells of large clusters of crowded cells, from the number of points in each cell."""
    neighbourhood = ndimage.uniform_filter(counts.astype(np.float32), 3, mode="constant") * 27
    crowded = neighbourhood > MIN_NEIGHBOURHOOD_POINTS
    labels, _ = ndimage.label((counts > 0) & crowded, np.ones((3, 3, 3)))  # pyright: ignore
    sizes = np.bincount(labels.ravel())
    points = np.bincount(labels.ravel(), counts.ravel())
    sizes[0] = points[0] = 0
    large = (sizes >= MIN_CLUSTER_SHARE * sizes.sum()) | (points >= MIN_CLUSTER_SHARE * counts.sum())
    return (large & (sizes > 0))[labels]


def _binned(points: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Flat cell index of each point (n,), and the number of points per cell (x, y, z) with an empty layer around."""
    for cells in CORE_CELLS[:-1]:
        cell_of, counts = _bin(points, reach / cells)
        if len(points) >= POINTS_PER_CELL * int(counts.count_nonzero()):
            return cell_of, counts
    return _bin(points, reach / CORE_CELLS[-1])


def _bin(points: Tensor, cell: float) -> tuple[Tensor, Tensor]:
    low = points.amin(0)
    ijk = ((points - low) / torch.full_like(low, cell)).floor().long() + 1
    shape = (ijk.amax(0) + 2).tolist()
    cell_of = (ijk[:, 0] * shape[1] + ijk[:, 1]) * shape[2] + ijk[:, 2]
    counts = torch.zeros(int(np.prod(shape)), dtype=torch.int32, device=points.device)
    return cell_of, counts.scatter_add_(0, cell_of, torch.ones_like(cell_of, dtype=torch.int32)).view(shape)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
