# SPDX-License-Identifier: MIT
"""Fits planes to the neighbours of points, and picks normals that do not mix the two faces at an edge."""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.eigen3x3 import scatter_matrices, smallest_eigenpair
from fastsdf.numerics.quantiles import median
from fastsdf.numerics.vectors import dot

SCALES = (17, 12, 8)  # points per neighbourhood, tried in this order; 17 = 16 neighbours and the point. Chosen
NORMAL_WEIGHTS = (1.0, 0.9, 0.6)  # by scale; 6.5, 20 and 31% of these normals are 30 degrees off (notebook, weights)
MIN_NORMAL_WEIGHT = 0.15  # where no neighbourhood is flat; 49% of these normals are 30 degrees off (same page)
TOLERANCE = 1.2  # deviation over the scan's median; a plane fits below it. Chosen: one sigma at 14 degrees of freedom
OFFSET_SIGMAS = 2.0  # in median deviations; a point lies on a plane within it. Chosen: 95% of Gaussian noise
CHUNK = (1 << 15, 1 << 17)  # points at a time on a CPU, elsewhere; bounds memory


class PlaneFits(NamedTuple):
    """Least-squares planes of n neighbourhoods.

    Attributes:
        deviation: (n,) standard deviation of the neighbours about their plane. The sum of squares is divided by k - 3,
            because a plane has three parameters; so there is no bias as long as the neighbourhood is much wider than
            the deviation.
        normals: (n, 3) unit normals of arbitrary sign.
        centers: (n, 3) means of the neighbours, relative to the first of them.
    """

    deviation: Tensor
    normals: Tensor
    centers: Tensor


def fit_planes(points: Tensor, nearest: Tensor) -> PlaneFits:
    """Least-squares planes of neighbourhoods.

    Args:
        points: (n, 3).
        nearest: (m, k) indices into ``points``, one neighbourhood per row; k > 3.
    """
    parts = [_fit(points, part) for part in nearest.split(chunk_size(points.device, *CHUNK))]
    variance, normals, centers = (torch.cat(part) for part in zip(*parts, strict=True))
    return PlaneFits((variance.clamp_min(0.0) / (nearest.shape[1] - 3)).sqrt(), normals, centers)


def edge_preserving_normals(points: Tensor, nearest: Tensor, first: PlaneFits) -> tuple[Tensor, Tensor]:
    """Normals from neighbourhoods that are flat to within the noise, and their weights.

    A point takes the plane of its own neighbourhood where that is flat. Otherwise it takes the best of its neighbours'
    planes among those that are flat and pass through the point, as a pixel near an edge takes the mean of a window
    beside it (Kuwahara et al. 1976). Points without such a plane try again with smaller neighbourhoods, and finally
    keep the plane of their own.

    Args:
        points: (n, 3) float64.
        nearest: (n, k) indices of the nearest points, the point itself first; k at least the first of `SCALES`.
        first: planes of the whole neighbourhoods.

    Returns:
        (n, 3) unit normals of arbitrary sign; (n,) normal weights, 0 to 1: lower where only a smaller neighbourhood
        is flat, lowest where none is.
    """
    noise = median(first.deviation)
    normals, normal_weight = first.normals.clone(), torch.full_like(first.deviation, MIN_NORMAL_WEIGHT)
    remaining, size = torch.arange(len(points), device=points.device), chunk_size(points.device, *CHUNK)
    for count, weight in zip(SCALES, NORMAL_WEIGHTS, strict=True):
        fits = first if count == nearest.shape[1] else fit_planes(points, nearest[:, :count])
        found = [_fitting_plane(points, nearest[part], fits, noise) for part in remaining.split(size)]
        source = torch.cat(found) if found else remaining
        normals[remaining[source >= 0]] = fits.normals[source[source >= 0]]
        normal_weight[remaining[source >= 0]] = weight
        remaining = remaining[source < 0]
    return normals, normal_weight


def _fitting_plane(points: Tensor, nearest: Tensor, fits: PlaneFits, noise: float) -> Tensor:
    """(m,) index of the point whose plane the first point of each row of ``nearest`` (m, k) takes; -1 if none fits."""
    own = nearest[:, 0]
    toward = points[own, None] - points[nearest] - fits.centers[nearest]
    offset = dot(toward, fits.normals[nearest]).abs()
    deviation = fits.deviation[nearest]
    usable = (offset < OFFSET_SIGMAS * noise) & (deviation < TOLERANCE * noise)
    best = torch.where(usable, deviation, torch.inf).min(1)
    other = torch.where(best.values.isfinite(), nearest.gather(1, best.indices[:, None])[:, 0], -1)
    return torch.where(fits.deviation[own] < TOLERANCE * noise, own, other)


def _fit(points: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sum of squares (m,) about the plane of each neighbourhood, the unit normal (m, 3), and the mean (m, 3)."""
    relative = points[nearest] - points[nearest[:, :1]]
    center = relative.mean(1)
    relative -= center[:, None]
    return *smallest_eigenpair(scatter_matrices(relative, relative)), center
