# SPDX-License-Identifier: MIT
"""How far one can go from a point on either side of its surface: rays marched through an occupancy grid."""

import math

import torch
from torch import Tensor

from fastsdf.kernels import has_kernels
from fastsdf.occupancy import Occupancy

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
    directions = spiral(RAYS, CONE, start.device)
    step = max(RAYS_AT_ONCE // RAYS, 1)
    for i in range(0, len(start), step):
        a = axis[i : i + step]
        rays = _around(a, directions)
        origins = start[i : i + step, None].expand_as(rays).reshape(-1, 3)
        length = march(clearance, origins, rays.reshape(-1, 3), MAX_PATH_CELLS)
        out[i : i + step] = length.view(-1, RAYS).mean(1)
    return out


def march(clearance: Tensor, origins: Tensor, directions: Tensor, limit: float) -> Tensor:
    """Free length (r,) of rays through an occupancy grid, in voxels: at most ``limit``, 0 where one leaves it.

    Steps are bounded by the chessboard distance to the nearest occupied voxel.

    Args:
        clearance: (x, y, z) uint8, see `Occupancy`.
        origins, directions: (r, 3) float32, in voxels.
        limit: longest length that counts.
    """
    if has_kernels(clearance.device):
        from fastsdf.kernels import free_paths

        return free_paths.march(clearance, origins, directions, limit)
    shape = torch.tensor(clearance.shape, device=origins.device)
    flat = clearance.reshape(-1)
    stride = torch.tensor((clearance.shape[1] * clearance.shape[2], clearance.shape[2], 1), device=origins.device)
    length = torch.zeros(len(origins), device=origins.device)
    live = torch.arange(len(origins), device=origins.device)
    o, d, t = origins, directions, length.clone()
    while len(live):
        cell = torch.floor(o + t[:, None] * d).long()
        inside = ((cell >= 0) & (cell < shape)).all(1)
        free = flat[((cell.clamp_min(0)).minimum(shape - 1) * stride).sum(1)].float()
        done = ~inside | (free == 0) | (t >= limit)
        length[live[done]] = torch.where(inside, t.clamp_max(limit), 0.0)[done]
        go = ~done
        live, o, d = live[go], o[go], d[go]
        t = t[go] + (free[go] - 1).clamp_min(0.7)
    return length


def spiral(count: int, angle: float, device: torch.device) -> Tensor:
    """(count, 3) float32 directions spread evenly within an angle of +z (Fibonacci spiral); pi is the whole sphere."""
    i = torch.arange(count, device=device, dtype=torch.float32) + 0.5
    z = 1 - i / count * (1 - math.cos(angle))
    turn = math.pi * (1 + math.sqrt(5.0)) * i
    r = (1 - z * z).sqrt()
    return torch.stack([r * turn.cos(), r * turn.sin(), z], 1)


def _around(axis: Tensor, directions: Tensor) -> Tensor:
    """(n, RAYS, 3): the cone's directions turned from +z to each axis (n, 3) (Duff et al. 2017, revised frame)."""
    x, y, z = axis.unbind(1)
    sign = torch.where(z < 0, -1.0, 1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    u = torch.stack([1 + sign * x * x * a, sign * b, -sign * x], 1)
    v = torch.stack([b, sign + y * y * a, -y], 1)
    return directions[:, 0:1] * u[:, None] + directions[:, 1:2] * v[:, None] + directions[:, 2:3] * axis[:, None]
