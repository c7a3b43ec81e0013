# SPDX-License-Identifier: MIT
"""Moves points onto planes that many neighbours agree on: walls become flat, everything else keeps its place.

A wall that is scanned with 3 mm of noise is known to a fraction of a millimetre where dozens of points lie on it. A
point is moved only if a plane explains the neighbourhood to within the noise: neither a second surface, an edge nor a
curvature that stands out of the noise, and only along that plane's normal. Planes are fitted around every fourth point
along a Morton curve; a point that lies on two or more of the nearest four goes onto their mean.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.eigen3x3 import scatter_matrices, smallest_eigenpair
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex, point_index
from fastsdf.spatial.morton import morton_grid

MIN_SHARE = 1 / 3
MIN_COSINE = 0.9
ONTO_SIGMAS = 4.0
ONTO_SLOPE = 0.1
OUTLIER_SIGMAS = 3.0
MAX_DEVIATION = 1.15
MAX_BEND_SIGMAS = 3.0
MAX_SHIFT_SIGMAS = 2.0
POINTS_PER_PLANE = 4
PLANES_PER_POINT = 4
AGREEING_PLANES = 2
CHUNK = (1 << 13, 1 << 15)  # on a CPU, elsewhere


class _Planes(NamedTuple):
    """Planes around m points.

    Attributes:
        through: (m, 3) a point of each.
        normals: (m, 3) unit normals.
        reach: (m,) how far the neighbours lie that a plane was fitted to.
        fits: (m,) bool, whether it explains them.
    """

    through: Tensor
    normals: Tensor
    reach: Tensor
    fits: Tensor


def snap_to_planes(
    points: Tensor, smooth: Tensor, normals: Tensor, index: PointIndex, noise: Tensor, neighbours: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Points and normals with the noise averaged out over planes.

    Args:
        points: (n, 3) float64, as measured: they tell a plane from two.
        smooth: (n, 3) where they go if no plane explains them.
        normals: (n, 3) unit normals; neighbours that face another way count as another surface.
        index: over the points, in whatever frame.
        noise: (n,) standard deviation of the noise at each point, in the units of the points.
        neighbours: size of the neighbourhoods; 0 moves none.

    Returns:
        (n, 3) points, those on planes moved by at most two ``noise``, (n, 3) unit normals, and (n,) bool, which are on
        planes.
    """
    if neighbours == 0 or noise.max() <= 0:
        return smooth, normals, torch.zeros(len(points), dtype=torch.bool, device=points.device)
    centers = morton_grid(points).codes(points).argsort(stable=True)[::POINTS_PER_PLANE]
    count = min(neighbours + 1, len(points))
    size = chunk_size(points.device, *CHUNK)
    rows = (index.query(index.points[part], count)[1] for part in centers.split(size))
    parts = [_fit_planes(points, normals, nearest, noise) for nearest in rows]
    planes = _Planes(*(torch.cat(part) for part in zip(*parts, strict=True)))
    near = point_index(index.points[centers])
    moved, turned = smooth.clone(), normals.clone()
    on = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for part in torch.arange(len(points), device=points.device).split(size):
        distance, which = near.query(index.points[part], PLANES_PER_POINT)
        place, normal, found = _onto(points[part], normals[part], planes, distance, which, noise[part, None])
        moved[part[found]], turned[part[found]], on[part] = place[found], normal[found], found
    return moved, turned, on


def _onto(
    points: Tensor, normals: Tensor, planes: _Planes, distance: Tensor, which: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Points (m, 3) moved onto the mean of those planes ``which`` (m, j) they lie on, its normal, and whether to move.

    ``distance`` (m, j) is to the points that the planes were fitted around, ``noise`` (m, 1) that of the points.
    """
    normal = planes.normals[which]
    offset = dot(points[:, None] - planes.through[which], normal)
    usable = planes.fits[which] & (distance < planes.reach[which]) & (offset.abs() < MAX_SHIFT_SIGMAS * noise)
    usable &= dot(normal, normals[:, None]) > MIN_COSINE
    weight = usable.to(points.dtype)[..., None]
    total = weight.sum(1).clamp_min(1)
    place = points - (weight * offset[..., None] * normal).sum(1) / total
    return place, torch.nn.functional.normalize((weight * normal).sum(1), dim=1), usable.sum(1) >= AGREEING_PLANES


def _fit_planes(points: Tensor, normals: Tensor, nearest: Tensor, noise: Tensor) -> _Planes:
    """The planes of the rows ``nearest`` (m, k) of neighbours, the point itself first."""
    own, facing, sigma = points[nearest[:, 0]], normals[nearest[:, 0]], noise[nearest[:, 0]]
    apart = points[nearest] - own[:, None]
    distance = apart.norm(dim=-1)
    beside = dot(apart, facing[:, None]).abs() < ONTO_SIGMAS * sigma[:, None] + ONTO_SLOPE * distance
    weight = (beside & (dot(normals[nearest], facing[:, None]) > MIN_COSINE)).to(points.dtype)
    _, offset, _, _ = _plane(apart, weight, facing)
    weight = weight * (offset.abs() < OUTLIER_SIGMAS * sigma[:, None])
    normal, offset, shift, deviation = _plane(apart, weight, facing)
    fits = (weight.sum(1) >= MIN_SHARE * nearest.shape[1]) & (deviation < MAX_DEVIATION * sigma)
    fits &= (shift.abs() < OUTLIER_SIGMAS * sigma) & (dot(normal, facing) > MIN_COSINE)
    fits &= _bend(distance, offset, weight) < MAX_BEND_SIGMAS * sigma
    return _Planes(own + shift[:, None] * normal, normal, distance[:, -1], fits)


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
