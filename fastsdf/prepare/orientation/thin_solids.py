# SPDX-License-Identifier: MIT
"""Finds the second face of thin solids such as boards, which free paths miss because they start beyond it."""

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex

NEIGHBOURS = 64  # points searched around a surfel; chosen: enough to reach the other face of a board
MIN_APART_CELLS = 0.4  # in cells; nearer points belong to the surfel's own face. Chosen
MAX_APART_CELLS = 1.6  # in cells; free paths start 1.5 cells away and see faces further off
MAX_ASIDE_CELLS = 1.5  # in cells along the surface; chosen: about the distance between surfels
PARALLEL_COSINE = 0.8  # 37 degrees; normals of thin parts are imprecise. Chosen
MIN_FACE_POINTS = 3  # fewer may be outliers. Chosen
MAX_LEAN = 0.5  # 0: points of the other face all around; 1: all to one side, as at a step. Chosen
APART_SIGMAS = 4.0  # deviations of the noise; below it two faces cannot be told from noise
CHUNK = (1 << 14, 1 << 16)  # surfels at a time on a CPU, elsewhere; bounds memory


def has_second_face(
    surfel_points: Tensor,
    surfel_normals: Tensor,
    around: PointIndex,
    normals: Tensor,
    cell: float,
    noise: float = 0.0,
) -> Tensor:
    """(m, 2) bool: whether a second face lies close to a surfel, on the side of its normal and on the other side.

    Two parallel faces that are 0.4 to 1.6 cells apart are taken for those of a board, because scanners seldom see into
    gaps that narrow. Faces closer than four deviations of the noise cannot be told apart and are not counted. Nor is a
    step, where one face ends beside another: there the points of the second face lie to one side of the surfel.

    Args:
        surfel_points: (m, 3).
        surfel_normals: (m, 3) unit normals of arbitrary sign.
        around: search index over the scan's points (k, 3).
        normals: (k, 3) unit normals of the scan's points, of arbitrary sign.
        cell: voxel edge of the grid in which free paths are measured.
        noise: standard deviation of the noise of the points.
    """
    size = chunk_size(surfel_points.device, *CHUNK)
    min_apart = max(MIN_APART_CELLS * cell, APART_SIGMAS * noise)
    parts = zip(surfel_points.split(size), surfel_normals.split(size), strict=True)
    return torch.cat([_second_face_part(*part, around, normals, cell, min_apart) for part in parts])


def _second_face_part(
    surfel_points: Tensor, surfel_normals: Tensor, around: PointIndex, normals: Tensor, cell: float, min_apart: float
) -> Tensor:
    nearest = around.query(surfel_points, NEIGHBOURS)[1]
    to_neighbour = around.points[nearest] - surfel_points[:, None]
    height = dot(to_neighbour, surfel_normals[:, None])
    aside = to_neighbour - height[..., None] * surfel_normals[:, None]
    distance = aside.norm(dim=-1)
    parallel = dot(normals[nearest], surfel_normals[:, None]).abs() > PARALLEL_COSINE
    parallel = parallel & (distance < MAX_ASIDE_CELLS * cell)
    found = []
    for height_on_side in (height, -height):
        face = parallel & (height_on_side > min_apart) & (height_on_side < MAX_APART_CELLS * cell)
        lean = (aside * face[..., None]).sum(1).norm(dim=-1) / (distance * face).sum(1).clamp_min(1e-12)
        found.append((face.sum(1) >= MIN_FACE_POINTS) & (lean < MAX_LEAN))
    return torch.stack(found, 1)
