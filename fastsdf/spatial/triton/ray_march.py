# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Ray marching through an occupancy grid, one thread per ray."""

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 128  # rays per program; chosen, not swept


def march(clearance: Tensor, origins: Tensor, directions: Tensor, limit: float) -> Tensor:
    """See `fastsdf.spatial.ray_march.march`; fused operations are off so that both give bit-identical results."""
    length = torch.empty(len(origins), device=origins.device)
    if len(origins):
        _march_kernel[(triton.cdiv(len(origins), _BLOCK),)](
            clearance,
            origins.contiguous(),
            directions.contiguous(),
            length,
            len(origins),
            *clearance.shape,
            float(limit),
            BLOCK=_BLOCK,
            enable_fp_fusion=False,
        )
    return length


@triton.jit(do_not_specialize=["rays", "nx", "ny", "nz", "limit"])
def _march_kernel(clearance_ptr, origin_ptr, direction_ptr, length_ptr, rays, nx, ny, nz, limit, BLOCK: tl.constexpr):
    ray = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    active = ray < rays
    ox, oy, oz = (
        tl.load(origin_ptr + 3 * ray, mask=active, other=0.0),
        tl.load(origin_ptr + 3 * ray + 1, mask=active, other=0.0),
        tl.load(origin_ptr + 3 * ray + 2, mask=active, other=0.0),
    )
    dx, dy, dz = (
        tl.load(direction_ptr + 3 * ray, mask=active, other=0.0),
        tl.load(direction_ptr + 3 * ray + 1, mask=active, other=0.0),
        tl.load(direction_ptr + 3 * ray + 2, mask=active, other=0.0),
    )
    t = tl.zeros((BLOCK,), tl.float32)
    length = tl.zeros((BLOCK,), tl.float32)
    while tl.max(active.to(tl.int32), axis=0) > 0:
        x, y, z = tl.floor(ox + t * dx), tl.floor(oy + t * dy), tl.floor(oz + t * dz)
        inside = (x >= 0) & (y >= 0) & (z >= 0) & (x < nx) & (y < ny) & (z < nz)
        at = (x.to(tl.int32) * ny + y.to(tl.int32)) * nz + z.to(tl.int32)
        free = tl.load(clearance_ptr + at, mask=active & inside, other=0).to(tl.float32)
        done = (free == 0) | (t >= limit)
        length = tl.where(active & inside & done, tl.minimum(t, limit), length)
        active = active & inside & (done == 0)
        t = tl.where(active, t + tl.maximum(free - 1, 0.7), t)  # MIN_STEP of fastsdf.spatial.ray_march
    tl.store(length_ptr + ray, length, mask=ray < rays)
