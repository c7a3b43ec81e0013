# SPDX-License-Identifier: MIT
"""Moves points onto planes that many neighbours agree on, so that walls become flat; other points do not move.

The position of a wall that is scanned with 3 mm of noise is known to a fraction of a millimetre from dozens of points.
A point moves only if a plane explains its neighbourhood to within the noise, that is, without a second surface, an edge
or a curvature larger than the noise, and it moves only along the plane's normal. Planes are fitted around every fourth
point along a Morton curve. A point that lies on at least two of the four nearest planes moves to the mean of these.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.eigen3x3 import scatter_matrices, smallest_eigenpair
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex, point_index
from fastsdf.spatial.morton import morton_grid

MIN_SHARE = 1 / 3  # of the neighbours that must lie on a plane; leaves room for other faces beside an edge. Chosen
MIN_COSINE = 0.9  # 26 degrees; normals that differ by more belong to another face. Chosen
BAND_SIGMAS = 4.0  # half width of the first selection in deviations of the noise; wide, since that normal is noisy
BAND_SLOPE = 0.1  # growth of that width with distance: a tilt of 6 degrees for an imprecise first normal. Chosen
OUTLIER_SIGMAS = 3.0  # deviations of the noise; the usual 3-sigma rule
MAX_DEVIATION = 1.15  # over the noise; of 120 neighbours the deviation is known to 0.07. Chosen
MAX_BEND_SIGMAS = 3.0  # standard errors of the regression of the offset on the squared distance; the 3-sigma rule
MAX_SHIFT_SIGMAS = 2.0  # deviations of the noise; 95% of Gaussian noise. Chosen: points further off may be shape
POINTS_PER_PLANE = 4  # a plane around every point takes four times as long (notebook, time and memory)
PLANES_PER_POINT = 4  # planes looked at; chosen
AGREEING_PLANES = 2  # of these; chosen: a single plane can reach past an edge
CHUNK = (1 << 13, 1 << 15)  # points at a time on a CPU, elsewhere; bounds memory


class _Planes(NamedTuple):
    """Planes fitted around m points.

    Attributes:
        through: (m, 3) a point on each plane.
        normals: (m, 3) unit normals.
        reach: (m,) distance of the furthest neighbour that a plane was fitted to.
        fits: (m,) bool: True if the plane explains its neighbours.
    """

    through: Tensor
    normals: Tensor
    reach: Tensor
    fits: Tensor


def snap_to_planes(
    points: Tensor, smooth: Tensor, normals: Tensor, index: PointIndex, noise: Tensor, neighbours: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Moves points onto the planes that explain them.

    Args:
        points: (n, 3) float64 measured points, before smoothing: smoothing could merge two close planes into one.
        smooth: (n, 3) smoothed points, the result where no plane fits.
        normals: (n, 3) unit normals; neighbours that face another way count as another surface.
        index: search index over the points; its frame may be another one.
        noise: (n,) standard deviation of the noise at each point, in the units of the points.
        neighbours: size of the neighbourhoods; 0 moves no point.

    Returns:
        (n, 3) points, those on planes at most twice ``noise`` away from where they were measured; (n, 3) unit normals;
        (n,) bool, True for points on planes.
    """
    if neighbours == 0 or noise.max() <= 0:
        return smooth, normals, torch.zeros(len(points), dtype=torch.bool, device=points.device)
    centers = morton_grid(points).codes(points).argsort(stable=True)[::POINTS_PER_PLANE]
    count = min(neighbours + 1, len(points))
    size = chunk_size(points.device, *CHUNK)
    neighbourhoods = (index.query(index.points[part], count)[1] for part in centers.split(size))
    parts = [_fit_planes(points, normals, nearest, noise) for nearest in neighbourhoods]
    planes = _Planes(*(torch.cat(part) for part in zip(*parts, strict=True)))
    plane_index = point_index(index.points[centers])
    moved, turned = smooth.clone(), normals.clone()
    on_plane = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for part in torch.arange(len(points), device=points.device).split(size):
        distance, which = plane_index.query(index.points[part], PLANES_PER_POINT)
        projected, normal, found = _project(points[part], normals[part], planes, distance, which, noise[part, None])
        moved[part[found]], turned[part[found]], on_plane[part] = projected[found], normal[found], found
    return moved, turned, on_plane


def _project(
    points: Tensor, normals: Tensor, planes: _Planes, distance: Tensor, which: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Projects points (m, 3) onto the mean of those of the planes ``which`` (m, j) that they lie on.

    ``distance`` (m, j) is the distance to the points that the planes were fitted around, ``noise`` (m, 1) the standard
    deviation at each point. Returns the projections (m, 3), the mean normals (m, 3), and (m,) bool: True where enough
    planes agree.
    """
    normal = planes.normals[which]
    offset = dot(points[:, None] - planes.through[which], normal)
    usable = planes.fits[which] & (distance < planes.reach[which]) & (offset.abs() < MAX_SHIFT_SIGMAS * noise)
    usable &= dot(normal, normals[:, None]) > MIN_COSINE
    weight = usable.to(points.dtype)[..., None]
    total = weight.sum(1).clamp_min(1)
    projected = points - (weight * offset[..., None] * normal).sum(1) / total
    return projected, torch.nn.functional.normalize((weight * normal).sum(1), dim=1), usable.sum(1) >= AGREEING_PLANES


def _fit_planes(points: Tensor, normals: Tensor, nearest: Tensor, noise: Tensor) -> _Planes:
    """Fits a plane to each neighbourhood of ``nearest`` (m, k), the point itself first.

    The first fit takes the neighbours in a band around the point's own tangent plane that face the same way; the second
    leaves out those that lie off the first plane.
    """
    own, facing, sigma = points[nearest[:, 0]], normals[nearest[:, 0]], noise[nearest[:, 0]]
    to_neighbour = points[nearest] - own[:, None]
    distance = to_neighbour.norm(dim=-1)
    in_band = dot(to_neighbour, facing[:, None]).abs() < BAND_SIGMAS * sigma[:, None] + BAND_SLOPE * distance
    weight = (in_band & (dot(normals[nearest], facing[:, None]) > MIN_COSINE)).to(points.dtype)
    _, offset, _, _ = _plane(to_neighbour, weight, facing)
    weight = weight * (offset.abs() < OUTLIER_SIGMAS * sigma[:, None])
    normal, offset, shift, deviation = _plane(to_neighbour, weight, facing)
    fits = (weight.sum(1) >= MIN_SHARE * nearest.shape[1]) & (deviation < MAX_DEVIATION * sigma)
    fits &= (shift.abs() < OUTLIER_SIGMAS * sigma) & (dot(normal, facing) > MIN_COSINE)
    fits &= _bend(distance, offset, weight) < MAX_BEND_SIGMAS * sigma
    return _Planes(own + shift[:, None] * normal, normal, distance[:, -1], fits)


def _plane(to_neighbour: Tensor, weight: Tensor, facing: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The weighted least-squares plane of each neighbourhood, its normal turned to the side of ``facing`` (m, 3).

    Args:
        to_neighbour: (m, k, 3) vectors from the point to its neighbours.
        weight: (m, k) 0 or 1.
        facing: (m, 3) normals of the points.

    Returns:
        Unit normals (m, 3), offsets (m, k) of the neighbours from the plane, distance (m,) of the plane from the point
        along its normal, and standard deviation (m,) of the offsets.
    """
    total = weight.sum(1)
    center = (weight[..., None] * to_neighbour).sum(1) / total[:, None].clamp_min(1)
    centered = to_neighbour - center[:, None]
    spread = weight[..., None] * centered
    squares, normal = smallest_eigenpair(scatter_matrices(spread, centered))
    normal = normal * torch.where(dot(normal, facing) < 0, -1.0, 1.0)[:, None]
    deviation = (squares.clamp_min(0.0) / (total - 3).clamp_min(1)).sqrt()
    return normal, dot(centered, normal[:, None]), dot(center, normal), deviation


def _bend(distance: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """(m,) curvature of the neighbourhoods: slope of the regression of the offsets (m, k) on the squared distance.

    The slope is divided by its standard error at unit noise, so that it compares with the noise in the same units.
    """
    squared = distance.square() / distance.square().amax(1, keepdim=True).clamp_min(1e-30)
    centered = squared - (weight * squared).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1)
    power = (weight * centered.square()).sum(1).clamp_min(1e-12)
    return ((weight * centered * offset).sum(1) / power.sqrt()).abs()
