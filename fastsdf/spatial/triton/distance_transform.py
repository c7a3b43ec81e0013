# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Chessboard distance transform of a voxel grid: one pass per axis, each voxel looking only as far as its distance."""

import torch
import triton
import triton.language as tl
from torch import Tensor

CAP = 255
_BLOCK = 512


def chessboard_distance(occupied: Tensor) -> Tensor:
    """Distance (x, y, z) uint8 in voxels to the nearest one that is occupied (x, y, z) bool, 255 at most."""
    distance = torch.where(occupied, 0, CAP).to(torch.uint8).contiguous()
    if not distance.numel():
        return distance
    for axis in range(3):
        passed = torch.empty_like(distance)
        launch = (triton.cdiv(distance.numel(), _BLOCK),)
        _pass_kernel[launch](
            distance, passed, distance.numel(), distance.stride(axis), distance.shape[axis], BLOCK=_BLOCK
        )
        distance = passed
    return distance


@triton.jit(do_not_specialize=["voxels", "stride", "length"])
def _pass_kernel(source_ptr, out_ptr, voxels, stride, length, BLOCK: tl.constexpr):
    """out[i] = min over j along the axis of max(|i - j|, source[j])."""
    voxel = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = voxel < voxels
    place = (voxel // stride) % length
    nearest = tl.load(source_ptr + voxel, mask=mask, other=0).to(tl.int32)
    step = 1
    while step < tl.minimum(tl.max(nearest, axis=0), length):
        below = mask & (step < nearest) & (place >= step)
        above = mask & (step < nearest) & (place + step < length)
        low = tl.load(source_ptr + voxel - step * stride, mask=below, other=255).to(tl.int32)
        high = tl.load(source_ptr + voxel + step * stride, mask=above, other=255).to(tl.int32)
        nearest = tl.minimum(nearest, tl.maximum(tl.minimum(low, high), step))
        step += 1
    tl.store(out_ptr + voxel, nearest.to(tl.uint8), mask=mask)
