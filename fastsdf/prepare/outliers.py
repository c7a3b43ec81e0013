# SPDX-License-Identifier: MIT
"""Finds points that lie on no surface, such as wrong ranges and mixed pixels, by the planes of their neighbours."""

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.local_geometry import LocalGeometry

PLANE_SIGMAS = 3.5  # half thickness of a plane in deviations of the noise; Gaussian noise stays within it to 0.05%
PLANE_SPACINGS = 0.2  # least half thickness in spacings: planes of a curved surface miss it by that much without noise
REACH_SPACINGS = 2.5  # radius of a plane in spacings; chosen: just beyond its 16 neighbours (2.3 spacings)
MIN_PLANE_SHARE = 0.01  # of the normal weights; 0.02 finds more outliers but costs thin parts (notebook, ablation)
SPARSE_SPACINGS = 4.0  # in median spacings; from 3 on, 1% of the scanned area was lost (notebook, ablation)
SPARSE_ROUGHNESS = 0.5  # in spacings; points spread evenly through space have 0.7
CHUNK = (1 << 15, 1 << 17)  # points at a time on a CPU, elsewhere; bounds memory


def find_outliers(points: Tensor, geometry: LocalGeometry) -> Tensor:
    """(n,) bool: True for points on no plane of their neighbours, and for sparse points whose neighbours fill space.

    Each plane counts by its normal weight, and a point is an outlier if less than a hundredth of the weight lies in
    planes through it. Between two surfaces the planes have high weights and miss the point. In clutter, where no plane
    fits and all weights are low, one plane through the point is enough, so that thin parts with few points are kept.
    The plane of a neighbour is a disc with a radius of 2.5 of its spacings and a half thickness of 3.5 deviations of
    the noise or a fifth of its spacing, whichever is larger.

    Outliers in the air can lie on each other's planes by chance. They are found if their spacing exceeds four median
    spacings and their roughness half their own spacing. The surface at those that remain is dropped after meshing
    (`fastsdf.meshing.measured_part.drop_doubtful_pieces`).

    Args:
        points: (n, 3) float64.
        geometry: local geometry of these points.
    """
    parts = geometry.nearest.split(chunk_size(points.device, *CHUNK))
    shares = torch.cat([_plane_share(points, nearest, geometry) for nearest in parts])
    sparse = geometry.spacing > SPARSE_SPACINGS * geometry.median_spacing
    return (shares < MIN_PLANE_SHARE) | (sparse & (geometry.roughness > SPARSE_ROUGHNESS * geometry.spacing))


def _plane_share(points: Tensor, nearest: Tensor, geometry: LocalGeometry) -> Tensor:
    """(m,) share of the neighbours' planes that pass through the first point of each row of ``nearest`` (m, k + 1).

    Planes are weighted by their normal weight.
    """
    own, around = nearest[:, 0], nearest[:, 1:]
    toward = points[own, None] - points[around]
    offset = dot(toward, geometry.normals[around]).abs()
    along = (dot(toward, toward) - offset.square()).clamp_min(0.0).sqrt()
    spacing, normal_weight = geometry.spacing[around], geometry.normal_weight[around]
    thickness = (PLANE_SPACINGS * spacing).clamp_min(PLANE_SIGMAS * geometry.noise)
    on = (offset < thickness) & (along < REACH_SPACINGS * spacing)
    return (on * normal_weight).sum(1) / normal_weight.sum(1)
