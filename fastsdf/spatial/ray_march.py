# SPDX-License-Identifier: MIT
"""Rays marched through an occupancy grid, and directions spread evenly over a cone."""

import math

import torch
from torch import Tensor

from fastsdf.system.triton_library import has_triton


def march(clearance: Tensor, origins: Tensor, directions: Tensor, limit: float) -> Tensor:
    """Free length (r,) of rays through an occupancy grid, in voxels: at most ``limit``, 0 where one leaves it.

    Steps are bounded by the chessboard distance to the nearest occupied voxel.

    Args:
        clearance: (x, y, z) uint8, see `Occupancy`.
        origins, directions: (r, 3) float32, in voxels.
        limit: longest length that counts.
    """
    if has_triton(clearance.device):
        from fastsdf.spatial.triton import ray_march as kernel

        return kernel.march(clearance, origins, directions, limit)
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
