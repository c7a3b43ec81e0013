# SPDX-License-Identifier: MIT
"""Ray marching through an occupancy grid, and evenly spread ray directions."""

import math

import torch
from torch import Tensor

from fastsdf.system.triton_library import has_triton

MIN_STEP = 0.7  # voxels; the step beside occupied voxels, also in the kernel; chosen, not swept


def march(clearance: Tensor, origins: Tensor, directions: Tensor, limit: float) -> Tensor:
    """Measure how far rays go through free voxels.

    The steps along a ray follow the chessboard distance to the nearest occupied voxel (sphere tracing).

    Args:
        clearance: (x, y, z) uint8, see `Occupancy`.
        origins, directions: (r, 3) float32, in voxels; directions have unit length.
        limit: maximum length, voxels.

    Returns:
        (r,) free length in voxels, at most ``limit``; 0 for rays that leave the grid.
    """
    if has_triton(clearance.device):
        from fastsdf.spatial.triton import ray_march as kernel

        return kernel.march(clearance, origins, directions, limit)
    shape = torch.tensor(clearance.shape, device=origins.device)
    flat = clearance.reshape(-1)
    stride = torch.tensor((clearance.shape[1] * clearance.shape[2], clearance.shape[2], 1), device=origins.device)
    length = torch.zeros(len(origins), device=origins.device)
    active = torch.arange(len(origins), device=origins.device)
    o, d, t = origins, directions, length.clone()
    while len(active):
        cell = torch.floor(o + t[:, None] * d).long()
        inside = ((cell >= 0) & (cell < shape)).all(1)
        free = flat[((cell.clamp_min(0)).minimum(shape - 1) * stride).sum(1)].float()
        done = ~inside | (free == 0) | (t >= limit)
        length[active[done]] = torch.where(inside, t.clamp_max(limit), 0.0)[done]
        going = ~done
        active, o, d = active[going], o[going], d[going]
        t = t[going] + (free[going] - 1).clamp_min(MIN_STEP)
    return length


def fibonacci_directions(count: int, angle: float, device: torch.device) -> Tensor:
    """Unit directions spread evenly over a cone by a Fibonacci spiral.

    Args:
        count: number of directions.
        angle: half opening angle of the cone around +z, radians; pi gives the whole sphere.
        device: device of the result.

    Returns:
        (count, 3) float32.
    """
    i = torch.arange(count, device=device, dtype=torch.float32) + 0.5
    z = 1 - i / count * (1 - math.cos(angle))
    azimuth = math.pi * (1 + math.sqrt(5.0)) * i
    r = (1 - z * z).sqrt()
    return torch.stack([r * azimuth.cos(), r * azimuth.sin(), z], 1)
