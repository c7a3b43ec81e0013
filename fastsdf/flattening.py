# SPDX-License-Identifier: MIT
"""Moves points onto planes that many neighbours agree on: walls become flat, everything else keeps its place.

A wall that is scanned with 3 mm of noise is known to a fraction of a millimetre where dozens of points lie on it. A
point is moved only if a plane explains its neighbourhood to within the noise: neither a second surface, an edge nor a
curvature that stands out of the noise, and only along that plane's normal.
"""

import torch
from torch import Tensor

from fastsdf.chunks import chunk_size
from fastsdf.eigen import scatter_matrices, smallest_eigenpair
from fastsdf.nearest import PointIndex
from fastsdf.vectors import dot

MIN_SHARE = 1 / 3
MIN_COSINE = 0.9
ONTO_SIGMAS = 4.0
ONTO_SLOPE = 0.1
OUTLIER_SIGMAS = 3.0
MAX_DEVIATION = 1.15
MAX_BEND_SIGMAS = 3.0
MAX_SHIFT_SIGMAS = 2.0
CHUNK = (1 << 13, 1 << 15)  # on a CPU, elsewhere


def flatten_points(
    points: Tensor, smooth: Tensor, normals: Tensor, index: PointIndex, noise: float, neighbours: int
) -> tuple[Tensor, Tensor, float]:
    """Points and normals with the noise averaged out over planes.

    Args:
        points: (n, 3) float64, as measured: they tell a plane from two.
        smooth: (n, 3) where they go if no plane explains them.
        normals: (n, 3) unit normals; neighbours that face another way count as another surface.
        index: over the points, in whatever frame.
        noise: standard deviation of the noise, in the units of the points.
        neighbours: size of the neighbourhoods; 0 moves none.

    Returns:
        (n, 3) points, those on planes moved by at most two ``noise``, (n, 3) unit normals, and the share on planes.
    """
    if neighbours == 0 or noise <= 0:
        return smooth, normals, 0.0
    count = min(neighbours + 1, len(points))
    rows = (index.query(part, count)[1] for part in index.points.split(chunk_size(points.device, *CHUNK)))
    parts = [_flatten(points, normals, nearest, noise) for nearest in rows]
    flat_points, flat_normals, flat = (torch.cat(part) for part in zip(*parts, strict=True))
    moved = torch.where(flat[:, None], flat_points, smooth), torch.where(flat[:, None], flat_normals, normals)
    return *moved, float(flat.double().mean())


def _flatten(points: Tensor, normals: Tensor, nearest: Tensor, noise: float) -> tuple[Tensor, Tensor, Tensor]:
    """The first point of each row (m, k) on the row's plane, that plane's normal, and whether it explains the row."""
    own, facing = points[nearest[:, 0]], normals[nearest[:, 0]]
    apart = points[nearest] - own[:, None]
    distance = apart.norm(dim=-1)
    beside = dot(apart, facing[:, None]).abs() < ONTO_SIGMAS * noise + ONTO_SLOPE * distance
    weight = (beside & (dot(normals[nearest], facing[:, None]) > MIN_COSINE)).to(points.dtype)
    _, offset, _, _ = _plane(apart, weight, facing)
    weight = weight * (offset.abs() < OUTLIER_SIGMAS * noise)
    normal, offset, shift, deviation = _plane(apart, weight, facing)
    fits = (weight.sum(1) >= MIN_SHARE * nearest.shape[1]) & (deviation < MAX_DEVIATION * noise)
    fits &= (shift.abs() < MAX_SHIFT_SIGMAS * noise) & (dot(normal, facing) > MIN_COSINE)
    fits &= _bend(distance, offset, weight) < MAX_BEND_SIGMAS * noise
    return own + shift[:, None] * normal, normal, fits


def _plane(apart: Tensor, weight: Tensor, facing: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The weighted plane of each row: unit normal (m, 3), offsets (m, k), distance (m,) along it, deviation (m,)."""
    total = weight.sum(1)
    center = (weight[..., None] * apart).sum(1) / total[:, None].clamp_min(1)
    around = apart - center[:, None]
    spread = weight[..., None] * around
    squares, normal = smallest_eigenpair(scatter_matrices(spread, around))
    normal = normal * torch.where(dot(normal, facing) < 0, -1.0, 1.0)[:, None]
    deviation = (squares.clamp_min(0.0) / (total - 3).clamp_min(1)).sqrt()
    return normal, dot(around, normal[:, None]), dot(center, normal), deviation


def _bend(distance: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """How the offsets (m, k) grow with the squared distance: the regression's slope over its error per unit noise."""
    squared = distance.square() / distance.square().amax(1, keepdim=True).clamp_min(1e-30)
    centered = squared - (weight * squared).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1)
    power = (weight * centered.square()).sum(1).clamp_min(1e-12)
    return ((weight * centered * offset).sum(1) / power.sqrt()).abs()
