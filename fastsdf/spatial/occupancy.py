# SPDX-License-Identifier: MIT
"""A voxel grid of the scanned surface with the distance of every voxel to the nearest occupied one."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fastsdf.numerics.quantiles import nearest_quantiles
from fastsdf.system.triton_library import has_triton

MARGIN = 10  # voxels beyond the quantiles of the occupied voxels; chosen: keeps the outer walls inside, not swept
MIN_POINTS = 3  # points in the 3x3x3 neighbourhood of an occupied voxel; chosen: rejects single outliers, not swept
MAX_DISTANCE = 255  # voxels; the largest uint8


@dataclass(frozen=True)
class Occupancy:
    """A voxel grid with distances to the occupied voxels.

    Attributes:
        origin: (3,) float64 lower corner of the grid, in the units of the points.
        cell: voxel edge, in the units of the points.
        clearance: (x, y, z) uint8 chessboard distance in voxels to the nearest occupied voxel: 0 in occupied voxels,
            at most 255.
    """

    origin: Tensor
    cell: float
    clearance: Tensor


def occupancy(points: Tensor, cell: float) -> Occupancy:
    """Build the voxel grid of a point cloud.

    A voxel is occupied if it holds a point and its 3x3x3 neighbourhood holds at least three. The grid spans the 0.1% to
    99.9% quantiles of the voxel indices of the points, and ten voxels more on each side.

    Args:
        points: (n, 3) float64.
        cell: voxel edge, in the units of the points.
    """
    low = points.amin(0)
    ijk = ((points - low) / torch.full_like(low, cell)).floor().long()
    first, last = nearest_quantiles(ijk, [0.001, 0.999])
    first, shape = first - MARGIN, (last - first + 2 * MARGIN + 1).tolist()
    ijk = ijk - torch.as_tensor(first, device=ijk.device)
    ijk = ijk[((ijk >= 0) & (ijk < torch.tensor(shape, device=ijk.device))).all(1)]
    flat = (ijk[:, 0] * shape[1] + ijk[:, 1]) * shape[2] + ijk[:, 2]
    counts = torch.zeros(int(np.prod(shape)), dtype=torch.int32, device=ijk.device)
    counts = counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32)).view(shape)
    return Occupancy(low + torch.as_tensor(first * cell, device=low.device), cell, clearance(counts))


def clearance(counts: Tensor) -> Tensor:
    """Chessboard distances (x, y, z) uint8 of `Occupancy` for the number of points per voxel (x, y, z) int32."""
    if has_triton(counts.device):
        from fastsdf.spatial.triton.distance_transform import chessboard_distance

        return chessboard_distance((counts > 0) & (_sums_of_27(counts.clamp_max(MIN_POINTS)) >= MIN_POINTS))
    from scipy import ndimage  # slow to import, and not needed on a GPU

    host_counts = counts.cpu().numpy()
    crowded = ndimage.uniform_filter(host_counts.astype(np.float32), 3, mode="constant") * 27 > MIN_POINTS - 0.5
    distance = np.empty(host_counts.shape, np.int32)
    ndimage.distance_transform_cdt(~((host_counts > 0) & crowded), "chessboard", distances=distance)
    return torch.from_numpy(np.minimum(distance, MAX_DISTANCE).astype(np.uint8)).to(counts.device)


def _sums_of_27(counts: Tensor) -> Tensor:
    """Sums over the 3x3x3 neighbourhood of each voxel; voxels outside the grid count as 0."""
    for axis, length in enumerate(counts.shape):
        total = counts.clone()
        total.narrow(axis, 1, length - 1).add_(counts.narrow(axis, 0, length - 1))
        total.narrow(axis, 0, length - 1).add_(counts.narrow(axis, 1, length - 1))
        counts = total
    return counts
