# SPDX-License-Identifier: MIT
"""How far one can go from a point on either side of its surface: rays marched through an occupancy grid."""

import math

import torch
from torch import Tensor

from fastsdf.spatial.occupancy import Occupancy
from fastsdf.spatial.ray_march import fibonacci_directions, march

CONE = math.radians(75.0)
RAYS = 16
MAX_PATH_CELLS = 400
START_CELLS = 1.5
RAYS_AT_ONCE = 1 << 21


def free_paths(grid: Occupancy, points: Tensor, normals: Tensor) -> Tensor:
    """(n, 2) float64 mean free path on the side of the normal and on the other side, in units of the points."""
    start = ((points - grid.origin) / grid.cell).float()
    axis = normals.float()
    paths = [mean_free_path(grid.clearance, start + START_CELLS * s * axis, s * axis) for s in (1.0, -1.0)]
    return (torch.stack(paths, 1) * grid.cell).double()


def mean_free_path(clearance: Tensor, start: Tensor, axis: Tensor) -> Tensor:
    """Mean length (n,) of `RAYS` rays in a cone around ``axis`` (n, 3), in voxels; escaping rays count as 0."""
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
    """(n, RAYS, 3): the cone's directions turned from +z to each axis (n, 3) (Duff et al. 2017, revised frame)."""
    x, y, z = axis.unbind(1)
    sign = torch.where(z < 0, -1.0, 1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    u = torch.stack([1 + sign * x * x * a, sign * b, -sign * x], 1)
    v = torch.stack([b, sign + y * y * a, -y], 1)
    return directions[:, 0:1] * u[:, None] + directions[:, 1:2] * v[:, None] + directions[:, 2:3] * axis[:, None]
