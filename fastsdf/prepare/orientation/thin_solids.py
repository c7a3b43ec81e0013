# SPDX-License-Identifier: MIT
"""The other face of a thin solid, which a free path that starts beyond it does not see."""

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex

NEIGHBOURS = 64
NEAREST_CELLS, FURTHEST_CELLS = 0.4, 1.6
ASIDE_CELLS = 1.5
PARALLEL_COSINE = 0.8
LEAST_POINTS = 3
MAX_LEAN = 0.5
APART_SIGMAS = 4.0
CHUNK = (1 << 14, 1 << 16)  # on a CPU, elsewhere


def has_second_face(
    p: Tensor, n: Tensor, around: PointIndex, normals: Tensor, cell: float, noise: float = 0.0
) -> Tensor:
    """(m, 2) bool: whether the scan has a second face close to surfels, on the side of the normal and on the other.

    Two faces of .4 to 1.6 cells apart that face along one axis are those of a board: scanners seldom see into gaps as
    narrow. Below four deviations of the noise nothing is told apart. At a step, where a face ends beside another,
    points of the second lie on one side only; those do not count.

    Args:
        p, n: (m, 3) surfels and their unit normals of arbitrary sign.
        around: index over the scan's points (k, 3).
        normals: (k, 3) unit normals of those, of arbitrary sign.
        cell: of the grid that free paths are measured in.
        noise: standard deviation of the points.
    """
    size = chunk_size(p.device, *CHUNK)
    nearest = max(NEAREST_CELLS * cell, APART_SIGMAS * noise)
    parts = [_beside(*part, around, normals, cell, nearest) for part in zip(p.split(size), n.split(size), strict=True)]
    return torch.cat(parts)


def _beside(p: Tensor, n: Tensor, around: PointIndex, normals: Tensor, cell: float, apart_by: float) -> Tensor:
    nearest = around.query(p, NEIGHBOURS)[1]
    apart = around.points[nearest] - p[:, None]
    height = dot(apart, n[:, None])
    aside = apart - height[..., None] * n[:, None]
    distance = aside.norm(dim=-1)
    parallel = (dot(normals[nearest], n[:, None]).abs() > PARALLEL_COSINE) & (distance < ASIDE_CELLS * cell)
    sides = []
    for side in (height, -height):
        face = parallel & (side > apart_by) & (side < FURTHEST_CELLS * cell)
        lean = (aside * face[..., None]).sum(1).norm(dim=-1) / (distance * face).sum(1).clamp_min(1e-12)
        sides.append((face.sum(1) >= LEAST_POINTS) & (lean < MAX_LEAN))
    return torch.stack(sides, 1)
