# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Chessboard distance transform of a voxel grid, one pass per axis."""

import torch
import triton
import triton.language as tl
from torch import Tensor

MAX_DISTANCE = 255  # voxels; the largest uint8
_BLOCK = 512  # voxels per program; chosen, not swept


def chessboard_distance(occupied: Tensor) -> Tensor:
    """Chessboard distance of every voxel to the nearest occupied one.

    Args:
        occupied: (x, y, z) bool.

    Returns:
        (x, y, z) uint8 distance in voxels, at most 255.
    """
    distance = torch.where(occupied, 0, MAX_DISTANCE).to(torch.uint8).contiguous()
    if not distance.numel():
        return distance
    for axis in range(3):
        result = torch.empty_like(distance)
        grid = (triton.cdiv(distance.numel(), _BLOCK),)
        _axis_kernel[grid](
            distance, result, distance.numel(), distance.stride(axis), distance.shape[axis], BLOCK=_BLOCK
        )
        distance = result
    return distance


@triton.jit(do_not_specialize=["voxels", "stride", "length"])
def _axis_kernel(source_ptr, out_ptr, voxels, stride, length, BLOCK: tl.constexpr):
    """out[i] = min over j along the axis of max(|i - j|, source[j]).

    A voxel only searches up to its current distance, because voxels farther away cannot reduce it.
    """
    voxel = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = voxel < voxels
    index = (voxel // stride) % length
    nearest = tl.load(source_ptr + voxel, mask=mask, other=0).to(tl.int32)
    step = 1
    while step < tl.minimum(tl.max(nearest, axis=0), length):
        below = mask & (step < nearest) & (index >= step)
        above = mask & (step < nearest) & (index + step < length)
        low = tl.load(source_ptr + voxel - step * stride, mask=below, other=255).to(tl.int32)
        high = tl.load(source_ptr + voxel + step * stride, mask=above, other=255).to(tl.int32)
        nearest = tl.minimum(nearest, tl.maximum(tl.minimum(low, high), step))
        step += 1
    tl.store(out_ptr + voxel, nearest.to(tl.uint8), mask=mask)
