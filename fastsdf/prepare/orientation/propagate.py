# SPDX-License-Identifier: MIT
"""Which side of each point is air, from the points alone: compare the mean free path on both sides.

Inside a scanned building, air is where one can go far and still hit the scan: solids are thin or unscanned inside, so
rays into them soon hit the far side or leave the scan's bounds, which counts as no path at all. On partial views, which
lack walls to hit, viewpoints in the air that see much of the scan tell the sides (`.visibility`).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fastsdf.numerics.quantiles import median, quantiles
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.orientation.free_paths import free_paths
from fastsdf.prepare.orientation.thin_solids import has_second_face
from fastsdf.prepare.orientation.visibility import visible_sides, visible_sides_from_outside
from fastsdf.prepare.plane_fits import fit_planes
from fastsdf.spatial.knn import PointIndex, point_index
from fastsdf.spatial.occupancy import occupancy
from fastsdf.spatial.voxel_downsample import even_subset

SURFEL_NEIGHBOURS = 17
SCALE_CELLS = 20.0
DOUBTFUL_CELLS = 8.0
MIN_MAJORITY = 0.5
SMOOTHING_ROUNDS = 10
SMOOTHING_NEIGHBOURS = 12
VOTES = 8
MAX_VOXELS = 1 << 26
POINTS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Orientation:
    """The result for a scan.

    Attributes:
        sign: (n,) +1 or -1: what to multiply each normal with so that it points into the air.
        confidence: (n,) 0 to 1.
        doubtful_share: share of the points whose two sides look alike.
    """

    sign: Tensor
    confidence: Tensor
    doubtful_share: float


def orient(around: PointIndex, normals: Tensor, spacing: Tensor, noise: float = 0.0) -> Orientation:
    """Turns unoriented normals towards the air, told by free paths.

    Args:
        around: index over the scan (n, 3) float64.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing.
        noise: standard deviation of the points.
    """
    points = around.points
    cell = grid_cell(points, spacing)
    p, n = surfels(points, cell)
    paths = free_paths(occupancy(points, cell), p, n) / cell
    open_ = torch.where(has_second_face(p, n, around, normals, cell, noise), 0.0, paths)
    difference = open_[:, 0] - open_[:, 1]
    doubtful = float((difference.abs() < DOUBTFUL_CELLS).double().mean())
    return Orientation(*_of_points(points, normals, p, n, torch.tanh(difference / SCALE_CELLS), cell), doubtful)


def orient_by_viewpoints(around: PointIndex, normals: Tensor, spacing: Tensor, scene: str) -> tuple[Orientation, int]:
    """Turns unoriented normals towards viewpoints in the air that see them; also returns how many viewpoints that took.

    In a room the viewpoints have to be found (`.visibility.visible_sides`), around an object they lie on a sphere. A point
    is in doubt if no viewpoint sees it, or as many see one side of it as the other. Arguments as for `orient`; scene:
    room or object.
    """
    points = around.points
    cell = grid_cell(points, spacing)
    p, n = surfels(points, cell)
    side, places = (visible_sides if scene == "room" else visible_sides_from_outside)(occupancy(points, cell), p, n)
    doubtful = float((side.abs() < MIN_MAJORITY).double().mean())
    return Orientation(*_of_points(points, normals, p, n, side, cell), doubtful), places


def _of_points(
    points: Tensor, normals: Tensor, p: Tensor, n: Tensor, score: Tensor, cell: float
) -> tuple[Tensor, Tensor]:
    """Sign and confidence (n,) of all points from scores (m,) of surfels p, n (m, 3)."""
    index = point_index(p)
    value, weight = _vote(points, normals, index, n, _smooth(index, n, score, cell), cell)
    confidence = value.abs() / weight.clamp_min(1e-12)
    return torch.where(value < 0, -1.0, 1.0).to(value), confidence.clamp(0.0, 1.0)


def surfels(points: Tensor, cell: float) -> tuple[Tensor, Tensor]:
    """Points (m, 3) about 1.2 cells apart and their PCA normals, measured on a cloud thinned to 0.6 cells."""
    even = points[even_subset(points, 0.6 * cell)]
    chosen = even[even_subset(even, 1.2 * cell)]
    _, nearest = point_index(even).query(chosen, SURFEL_NEIGHBOURS)
    return chosen, fit_planes(even, nearest).normals


def grid_cell(points: Tensor, spacing: Tensor) -> float:
    """Voxel edge for `occupancy`: 1.3 mean spacings, but no more voxels than `MAX_VOXELS`."""
    low, high = quantiles(points, (0.001, 0.999))
    area = float(spacing.clamp_max(4 * median(spacing)).square().sum())
    cell = 1.3 * math.sqrt(area / len(points))
    return max(cell, float((np.prod(high - low + 20 * cell) / MAX_VOXELS) ** (1 / 3)))


def _pair_weights(p: Tensor, n: Tensor, q: Tensor, m: Tensor, cell: float) -> Tensor:
    """Weights (n, k) between points p, n (n, 3) and their neighbours q, m (n, k, 3), signed by the normals.

    The offset from the plane is weighted apart from the distance, which keeps the two faces of a board apart.
    """
    apart = q - p[:, None]
    offset = dot(apart, n[:, None])
    exponent = (offset / (0.4 * cell)).square() + dot(apart, apart) / (1.6 * cell) ** 2
    return dot(m, n[:, None]) * torch.exp(-0.5 * exponent)


def _smooth(index: PointIndex, n: Tensor, unary: Tensor, cell: float) -> Tensor:
    """Signed scores (n,) relaxed over 12 neighbours, keeping 30% of the unary score in each round."""
    p = index.points
    nearest = index.query(p, SMOOTHING_NEIGHBOURS + 1)[1][:, 1:]
    w = _pair_weights(p, n, p[nearest], n[nearest], cell)
    w = w / (w.abs().sum(1, keepdim=True) + 1e-3)
    score = unary
    for _ in range(SMOOTHING_ROUNDS):
        score = 0.3 * unary + 0.7 * (w * score[nearest]).sum(1)
    return score


def _vote(
    points: Tensor, normals: Tensor, index: PointIndex, n: Tensor, score: Tensor, cell: float
) -> tuple[Tensor, Tensor]:
    """Signed score (n,) of every point from its 8 nearest surfels, and the sum of the weights' magnitudes."""
    parts = []
    for around, own in zip(points.split(POINTS_AT_ONCE), normals.split(POINTS_AT_ONCE), strict=True):
        nearest = index.query(around, VOTES)[1]
        w = _pair_weights(around, own, index.points[nearest], n[nearest], cell)
        parts.append(((w * score[nearest]).sum(1), w.abs().sum(1)))
    value, weight = (torch.cat(p) for p in zip(*parts, strict=True))
    return value, weight
