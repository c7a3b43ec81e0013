# SPDX-License-Identifier: MIT
"""Measures the free path on both sides of a point, by rays that are marched through an occupancy grid.

The free path is the distance from the point to the next scanned surface on that side.
"""

import math

import torch
from torch import Tensor

from fastsdf.spatial.occupancy import Occupancy
from fastsdf.spatial.ray_march import fibonacci_directions, march

CONE = math.radians(75.0)  # half angle of the cone; chosen: almost the half space, without grazing rays
RAYS = 16  # per side; chosen
MAX_PATH_CELLS = 400  # in voxels; longer paths are cut off, which bounds the time
START_CELLS = 1.5  # in voxels; clears the voxels of the point's own surface
RAYS_AT_ONCE = 1 << 21  # bounds memory


def free_paths(grid: Occupancy, points: Tensor, normals: Tensor) -> Tensor:
    """(n, 2) float64 mean free paths on the side of the normal and on the other side.

    Args:
        grid: voxels that contain scanned surface.
        points: (n, 3); the result has the same unit.
        normals: (n, 3) unit normals of arbitrary sign.
    """
    start = ((points - grid.origin) / grid.cell).float()
    axis = normals.float()
    paths = [mean_free_path(grid.clearance, start + START_CELLS * s * axis, s * axis) for s in (1.0, -1.0)]
    return (torch.stack(paths, 1) * grid.cell).double()


def mean_free_path(clearance: Tensor, start: Tensor, axis: Tensor) -> Tensor:
    """Mean length (n,) of `RAYS` rays in a cone around each axis, in voxels; rays that leave the grid count as 0.

    Args:
        clearance: distance to the nearest occupied voxel, per voxel (`fastsdf.spatial.occupancy.Occupancy`).
        start: (n, 3) start of the rays, in voxels.
        axis: (n, 3) unit axes.
    """
    out = torch.zeros(len(start), device=start.device)
    directions = fibonacci_directions(RAYS, CONE, start.device)
    step = max(RAYS_AT_ONCE // RAYS, 1)
    for i in range(0, len(start), step):
        a = axis[i : i + step]
        rays = _around(a, directions)
        origins = start[i : i + step, None].expand_as(rays).reshape(-1, 3)
        length = march(clearance, origins, rays.reshape(-1, 3), MAX_PATH_CELLS)
        out[i : i + step] = length.view(-1, RAYS).mean(1)
    return out


def _around(axis: Tensor, directions: Tensor) -> Tensor:
    """(n, RAYS, 3): the cone's directions rotated from +z to each axis (n, 3) (Duff et al. 2017, revised frame)."""
    x, y, z = axis.unbind(1)
    sign = torch.where(z < 0, -1.0, 1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    u = torch.stack([1 + sign * x * x * a, sign * b, -sign * x], 1)
    v = torch.stack([b, sign + y * y * a, -y], 1)
    return directions[:, 0:1] * u[:, None] + directions[:, 1:2] * v[:, None] + directions[:, 2:3] * axis[:, None]
