# SPDX-License-Identifier: MIT
"""Samples a signed distance field on a regular grid: all nodes of a box, or blocks of nodes near the surface."""

import math

import numpy as np
import torch
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.geometry import BLOCK, DistanceGrid
from fastsdf.meshing.lattice import Field
from fastsdf.meshing.watertight import cubes_near_surface

MAX_NODES = 1 << 29  # nodes; 2 GiB of float32
CHUNK = 1 << 18  # points per call of the field; chosen to bound memory
SLOPE = 2.0  # assumed upper bound on the field's slope, the default ``lipschitz`` of `extract_surface`


def sample_box(sdf: Field, lower: Tensor, upper: Tensor, voxel_size: float) -> DistanceGrid:
    """Samples all nodes of a box.

    Args:
        sdf: world points (n, 3) float64 -> (n,) signed distances.
        lower, upper: (3,) float64 corners of the box; the grid covers it.
        voxel_size: distance between neighbouring nodes, > 0; nodes lie on multiples of it.

    Raises:
        InputError: the grid would have more than 2^29 nodes.
    """
    first = torch.floor(lower / voxel_size)
    shape = (torch.ceil(upper / voxel_size) - first + 1).long().tolist()
    _check_size(math.prod(shape), voxel_size, "give a larger voxel size, or a band around the surface (--band)")
    values = np.empty(math.prod(shape), dtype=np.float32)
    for start in range(0, len(values), CHUNK):
        flat = torch.arange(start, min(start + CHUNK, len(values)), device=lower.device)
        index = torch.stack((flat // (shape[1] * shape[2]), flat // shape[2] % shape[1], flat % shape[2]), dim=1)
        values[start : start + CHUNK] = sdf((first + index) * voxel_size).float().cpu().numpy()
    return DistanceGrid((first * voxel_size).cpu().numpy(), voxel_size, values.reshape(shape))


def sample_band(sdf: Field, lower: Tensor, upper: Tensor, voxel_size: float, band: float) -> DistanceGrid:
    """Samples blocks of 8 x 8 x 8 nodes of a box; they contain all nodes within ``band`` of the surface, and others.

    Args:
        sdf, lower, upper, voxel_size: see `sample_box`.
        band: distance from the surface in world units, > 0.

    Raises:
        InputError: the band is not above 0, or the grid would have more than 2^29 nodes.
        MeshingError: there is no surface in the box.
    """
    if not 0 < band < math.inf:
        raise InputError(f"the band is {band}; give a length above 0, e.g. three voxels ({3 * voxel_size:g})")
    first = torch.floor(lower / voxel_size)
    centres = cubes_near_surface(sdf, first * voxel_size, upper + voxel_size, BLOCK * voxel_size, SLOPE, band)
    blocks = (centres / voxel_size - first - BLOCK / 2).round().long()
    _check_size(len(blocks) * BLOCK**3, voxel_size, "give a larger voxel size or a narrower band")
    inside = torch.cartesian_prod(*[torch.arange(BLOCK, device=lower.device)] * 3)
    values = np.empty((len(blocks), BLOCK**3), dtype=np.float32)
    step = CHUNK // BLOCK**3
    for start in range(0, len(blocks), step):
        index = (first + blocks[start : start + step, None] + inside).view(-1, 3)
        values[start : start + step] = sdf(index * voxel_size).float().cpu().numpy().reshape(-1, BLOCK**3)
    near = np.abs(values).min(axis=1) <= SLOPE * band  # a steep field exceeds the distance
    shaped = values[near].reshape(-1, BLOCK, BLOCK, BLOCK)
    origin = (first * voxel_size).cpu().numpy()
    return DistanceGrid(origin, voxel_size, shaped, blocks.cpu().numpy()[near].astype(np.int32), band)


def _check_size(nodes: int, voxel_size: float, advice: str) -> None:
    if nodes > MAX_NODES:
        raise InputError(f"a grid with voxels of {voxel_size:g} has {nodes:,} nodes, more than {MAX_NODES:,}: {advice}")
