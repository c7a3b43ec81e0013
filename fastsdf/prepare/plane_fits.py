# SPDX-License-Identifier: MIT
"""Planes fitted to the neighbours of points, and normals that do not mix the faces on both sides of an edge."""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.eigen3x3 import scatter_matrices, smallest_eigenpair
from fastsdf.numerics.quantiles import median
from fastsdf.numerics.vectors import dot

SCALES = (17, 12, 8)
NORMAL_WEIGHTS = (1.0, 0.9, 0.6)
LEAST_NORMAL_WEIGHT = 0.15
TOLERANCE = 1.2
OFFSET_SIGMAS = 2.0
CHUNK = (1 << 15, 1 << 17)  # on a CPU, elsewhere


class PlaneFits(NamedTuple):
    """Least-squares planes of n neighbourhoods.

    Attributes:
        deviation: (n,) standard deviation of the neighbours about their plane; three numbers are fitted, so that it is
            free of bias where the neighbourhood is wide beside it.
        normals: (n, 3) unit normals, of arbitrary sign.
        centers: (n, 3) means of the neighbours, as seen from the first of them.
    """

    deviation: Tensor
    normals: Tensor
    centers: Tensor


def fit_planes(points: Tensor, nearest: Tensor) -> PlaneFits:
    """Planes through the points (n, 3) that ``nearest`` (m, k), k > 3, names in each row."""
    parts = [_fit(points, rows) for rows in nearest.split(chunk_size(points.device, *CHUNK))]
    variance, normals, centers = (torch.cat(part) for part in zip(*parts, strict=True))
    return PlaneFits((variance.clamp_min(0.0) / (nearest.shape[1] - 3)).sqrt(), normals, centers)


def edge_preserving_normals(points: Tensor, nearest: Tensor, first: PlaneFits) -> tuple[Tensor, Tensor]:
    """Unit normals (n, 3) of arbitrary sign, each from a neighbourhood that a plane explains, if there is one.

    And the normal_weight in each (n,), 0 to 1: less where only a small neighbourhood is flat, least where none is. (On a scan
    of a room a quarter of the normals from 12 points, a third of those from 8 and half of the last are more than 30
    degrees off.)

    A point takes its own plane where that fits to within the noise. Else it takes the best of its neighbours' planes
    among those that fit and that it lies on, as a pixel near an edge takes the mean of a window beside it (Kuwahara et
    al. 1976). Points that find none try again with smaller neighbourhoods, and at last keep their own plane.

    Args:
        points: (n, 3) float64.
        nearest: (n, k) indices of the nearest points, the point itself first; k at least the first of `SCALES`.
        first: planes of the whole neighbourhoods.
    """
    noise = median(first.deviation)
    normals, normal_weight = first.normals.clone(), torch.full_like(first.deviation, LEAST_NORMAL_WEIGHT)
    open_, size = torch.arange(len(points), device=points.device), chunk_size(points.device, *CHUNK)
    for count, trusted in zip(SCALES, NORMAL_WEIGHTS, strict=True):
        fits = first if count == nearest.shape[1] else fit_planes(points, nearest[:, :count])
        found = [_fitting_plane(points, nearest[part], fits, noise) for part in open_.split(size)]
        source = torch.cat(found) if found else open_
        normals[open_[source >= 0]] = fits.normals[source[source >= 0]]
        normal_weight[open_[source >= 0]] = trusted
        open_ = open_[source < 0]
    return normals, normal_weight


def _fitting_plane(points: Tensor, nearest: Tensor, fits: PlaneFits, noise: float) -> Tensor:
    """(m,) whose plane the first point of each row (m, k) should take; -1: none of them fits."""
    own = nearest[:, 0]
    toward = points[own, None] - points[nearest] - fits.centers[nearest]
    offset = dot(toward, fits.normals[nearest]).abs()
    deviation = fits.deviation[nearest]
    usable = (offset < OFFSET_SIGMAS * noise) & (deviation < TOLERANCE * noise)
    best = torch.where(usable, deviation, torch.inf).min(1)
    other = torch.where(best.values.isfinite(), nearest.gather(1, best.indices[:, None])[:, 0], -1)
    return torch.where(fits.deviation[own] < TOLERANCE * noise, own, other)


def _fit(points: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sum of squares (m,) about the plane of each row's points, its unit normal (m, 3) and their mean (m, 3)."""
    around = points[nearest] - points[nearest[:, :1]]
    center = around.mean(1)
    around -= center[:, None]
    return *smallest_eigenpair(scatter_matrices(around, around)), center
