# SPDX-License-Identifier: MIT
"""Points that lie on no surface: wrong ranges and the mixed pixels of depth edges, told by their neighbours' planes."""

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.local_geometry import LocalGeometry

ONTO_SIGMAS = 3.5
ONTO_SPACINGS = 0.2
REACH_SPACINGS = 2.5
LEAST_SHARE = 0.01
SPARSE_SPACINGS = 4.0
SPARSE_ROUGHNESS = 0.5
CHUNK = (1 << 15, 1 << 17)  # on a CPU, elsewhere


def find_outliers(points: Tensor, geometry: LocalGeometry) -> Tensor:
    """(n,) bool: points on no plane of their neighbours, and sparse ones whose neighbours fill space.

    Planes count by their normal_weight; below a hundredth is none. Between two surfaces, planes are trusted and miss the point;
    in clutter, where no plane fits and little is trusted, one neighbour that agrees is enough, so that thin parts with
    few points are kept. A neighbour's plane reaches 2.5 of its spacings and is 3.5 deviations of the noise, at least a
    fifth of its spacing, thick on either side (a curved surface without noise leaves its planes).

    Outliers in the air agree with each other by chance. Those go whose spacing is above four medians and whose
    roughness above half their spacing (points that are even in space have .7, a surface has that of its noise); surface
    that only the others vouch for is dropped later (`fastsdf.meshing.measured_part.drop_doubtful_pieces`).

    Args:
        points: (n, 3) float64.
        geometry: of these points.
    """
    shares = [_share_on(points, rows, geometry) for rows in geometry.nearest.split(chunk_size(points.device, *CHUNK))]
    sparse = geometry.spacing > SPARSE_SPACINGS * geometry.median_spacing
    return (torch.cat(shares) < LEAST_SHARE) | (sparse & (geometry.roughness > SPARSE_ROUGHNESS * geometry.spacing))


def _share_on(points: Tensor, nearest: Tensor, geometry: LocalGeometry) -> Tensor:
    """(m,) share of the normal_weight in its neighbours' planes that the first point of each row (m, k + 1) lies on."""
    own, around = nearest[:, 0], nearest[:, 1:]
    toward = points[own, None] - points[around]
    offset = dot(toward, geometry.normals[around]).abs()
    along = (dot(toward, toward) - offset.square()).clamp_min(0.0).sqrt()
    spacing, normal_weight = geometry.spacing[around], geometry.normal_weight[around]
    thickness = (ONTO_SPACINGS * spacing).clamp_min(ONTO_SIGMAS * geometry.noise)
    on = (offset < thickness) & (along < REACH_SPACINGS * spacing)
    return (on * normal_weight).sum(1) / normal_weight.sum(1)
