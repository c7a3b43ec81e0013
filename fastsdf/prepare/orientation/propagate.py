# SPDX-License-Identifier: MIT
"""Finds the side of each point that is air from the points alone, by free paths or by viewpoints.

Inside a scanned building, rays in the air are long and end on the scan. Solids are thin or not scanned inside, so rays
into them soon hit the far side or leave the bounds of the scan, which counts as a path of length 0. The side with the
longer mean free path is air. Partial views lack walls to hit; there, viewpoints in the air decide
(`fastsdf.prepare.orientation.visibility`). Either result is computed for a subset of the points (surfels), smoothed
over neighbours, and passed on to all points by a vote.
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

SURFEL_NEIGHBOURS = 17  # points per plane fit, the surfel included; as for the points of the scan
SCALE_CELLS = 20.0  # in voxels; a difference of free paths for a confidence of tanh(1) = 0.76. Chosen
DOUBTFUL_CELLS = 8.0  # in voxels; below this difference the two sides look alike. Chosen
MIN_MAJORITY = 0.5  # three of four viewpoints see the same side; fewer leave a point in doubt. Chosen
SMOOTHING_ROUNDS = 10  # chosen: spreads a side over about 10 surfels
SMOOTHING_NEIGHBOURS = 12  # chosen: about two rings of surfels
OWN_SHARE = 0.3  # of a surfel's own score in each smoothing round; the rest comes from its neighbours. Chosen
VOTES = 8  # surfels that vote on the side of a point; chosen
CELL_SPACINGS = 1.3  # voxel edge in mean spacings; chosen: smaller voxels leave holes in the walls
MAX_VOXELS = 1 << 26  # 64 MiB at one byte each
THINNED_CELLS, SURFEL_CELLS = 0.6, 1.2  # in voxels, distances in the thinned cloud and between surfels. Chosen
POINTS_AT_ONCE = 1 << 20  # bounds memory


@dataclass(frozen=True)
class Orientation:
    """Signs that turn the normals of a scan into the air.

    Attributes:
        sign: (n,) +1 or -1, the factor that turns each normal into the air.
        confidence: (n,) 0 to 1.
        doubtful_share: share of the surfels whose two sides look alike.
    """

    sign: Tensor
    confidence: Tensor
    doubtful_share: float


def orient(around: PointIndex, normals: Tensor, spacing: Tensor, noise: float = 0.0) -> Orientation:
    """Finds the air side of points by their free paths.

    Args:
        around: search index over the scan (n, 3) float64.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing.
        noise: standard deviation of the noise of the points.
    """
    points = around.points
    cell = grid_cell(points, spacing)
    surfel_points, surfel_normals = surfels(points, cell)
    paths = free_paths(occupancy(points, cell), surfel_points, surfel_normals) / cell
    blocked = has_second_face(surfel_points, surfel_normals, around, normals, cell, noise)
    paths = torch.where(blocked, 0.0, paths)
    difference = paths[:, 0] - paths[:, 1]
    doubtful = float((difference.abs() < DOUBTFUL_CELLS).double().mean())
    score = torch.tanh(difference / SCALE_CELLS)
    return Orientation(*_spread_to_points(points, normals, surfel_points, surfel_normals, score, cell), doubtful)


def orient_by_viewpoints(around: PointIndex, normals: Tensor, spacing: Tensor, scene: str) -> tuple[Orientation, int]:
    """Finds the air side of points by viewpoints in the air that see them.

    In a room the viewpoints are searched for (`fastsdf.prepare.orientation.visibility.visible_sides`); around an object
    they lie on a sphere. A point is in doubt if no viewpoint sees it, or if viewpoints see both sides of it.

    Args:
        around: search index over the scan (n, 3) float64.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing.
        scene: room or object.

    Returns:
        The orientation and the number of viewpoints.
    """
    points = around.points
    cell = grid_cell(points, spacing)
    surfel_points, surfel_normals = surfels(points, cell)
    find_sides = visible_sides if scene == "room" else visible_sides_from_outside
    side, viewpoint_count = find_sides(occupancy(points, cell), surfel_points, surfel_normals)
    doubtful = float((side.abs() < MIN_MAJORITY).double().mean())
    signed = _spread_to_points(points, normals, surfel_points, surfel_normals, side, cell)
    return Orientation(*signed, doubtful), viewpoint_count


def _spread_to_points(
    points: Tensor, normals: Tensor, surfel_points: Tensor, surfel_normals: Tensor, score: Tensor, cell: float
) -> tuple[Tensor, Tensor]:
    """Sign and confidence (n,) of all points (n, 3) from the scores (m,) of surfels (m, 3)."""
    index = point_index(surfel_points)
    smoothed = _smooth(index, surfel_normals, score, cell)
    value, weight = _vote(points, normals, index, surfel_normals, smoothed, cell)
    confidence = value.abs() / weight.clamp_min(1e-12)
    return torch.where(value < 0, -1.0, 1.0).to(value), confidence.clamp(0.0, 1.0)


def surfels(points: Tensor, cell: float) -> tuple[Tensor, Tensor]:
    """Surfels: points (m, 3) about 1.2 cells apart, and their PCA normals (m, 3) in a cloud thinned to 0.6 cells."""
    even = points[even_subset(points, THINNED_CELLS * cell)]
    chosen = even[even_subset(even, SURFEL_CELLS * cell)]
    _, nearest = point_index(even).query(chosen, SURFEL_NEIGHBOURS)
    return chosen, fit_planes(even, nearest).normals


def grid_cell(points: Tensor, spacing: Tensor) -> float:
    """Voxel edge for `occupancy`: 1.3 mean spacings, or larger so that the grid has at most `MAX_VOXELS` voxels."""
    low, high = quantiles(points, (0.001, 0.999))
    area = float(spacing.clamp_max(4 * median(spacing)).square().sum())
    cell = CELL_SPACINGS * math.sqrt(area / len(points))
    return max(cell, float((np.prod(high - low + 20 * cell) / MAX_VOXELS) ** (1 / 3)))


def _pair_weights(p: Tensor, n: Tensor, q: Tensor, m: Tensor, cell: float) -> Tensor:
    """Weights (n, k) between points and their neighbours, signed by the cosine of their normals.

    The offset from the tangent plane has a narrower weight (0.4 cells) than the distance (1.6 cells), which keeps the
    two faces of a board apart.

    Args:
        p, n: (n, 3) points and their normals.
        q, m: (n, k, 3) neighbours and their normals.
        cell: voxel edge.
    """
    to_neighbour = q - p[:, None]
    offset = dot(to_neighbour, n[:, None])
    exponent = (offset / (0.4 * cell)).square() + dot(to_neighbour, to_neighbour) / (1.6 * cell) ** 2
    return dot(m, n[:, None]) * torch.exp(-0.5 * exponent)


def _smooth(index: PointIndex, n: Tensor, unary: Tensor, cell: float) -> Tensor:
    """Smooths the signed scores ``unary`` (n,) over 12 neighbours; 30% of a score stays its own in each round."""
    p = index.points
    nearest = index.query(p, SMOOTHING_NEIGHBOURS + 1)[1][:, 1:]
    w = _pair_weights(p, n, p[nearest], n[nearest], cell)
    w = w / (w.abs().sum(1, keepdim=True) + 1e-3)
    score = unary
    for _ in range(SMOOTHING_ROUNDS):
        score = OWN_SHARE * unary + (1 - OWN_SHARE) * (w * score[nearest]).sum(1)
    return score


def _vote(
    points: Tensor, normals: Tensor, index: PointIndex, n: Tensor, score: Tensor, cell: float
) -> tuple[Tensor, Tensor]:
    """Weighted sum (n,) of the scores of each point's 8 nearest surfels, and the sum (n,) of the absolute weights."""
    parts = []
    for part, own_normals in zip(points.split(POINTS_AT_ONCE), normals.split(POINTS_AT_ONCE), strict=True):
        nearest = index.query(part, VOTES)[1]
        w = _pair_weights(part, own_normals, index.points[nearest], n[nearest], cell)
        parts.append(((w * score[nearest]).sum(1), w.abs().sum(1)))
    value, weight = (torch.cat(p) for p in zip(*parts, strict=True))
    return value, weight
