# SPDX-License-Identifier: MIT
"""Computes the hash-grid encoding by plain torch operations; this is the reference for all other backends.

It works for any float type, on CPU and CUDA, and with autograd derivatives of any order.
"""

import torch
from torch import Tensor

from fastsdf.field.backends.base import BackendInfo
from fastsdf.field.hash_grid import HASH_PRIMES, GridSpec


class TorchBackend:
    """Reference backend against which every other backend is tested."""

    info = BackendInfo("torch", ("cpu", "cuda"), (torch.float32, torch.float64), max_autograd_order=3)

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """See `fastsdf.field.backends.base.Backend.encode`."""
        levels = [_encode_level(x, table, grid, level) for level in range(num_levels)]
        return torch.cat(levels, dim=-1)


def _encode_level(x: Tensor, table: Tensor, grid: GridSpec, level: int) -> Tensor:
    """Features (n, features_per_level) of one level by trilinear interpolation at points (n, 3) of the unit cube."""
    position = x * grid.scales[level] + 0.5
    cell = position.detach().floor()
    fraction = position - cell
    corners = _corner_offsets(x.device)
    nodes = cell.long()[:, None] + corners
    weights = torch.where(corners.bool(), fraction[:, None], 1 - fraction[:, None]).prod(-1)
    rows = node_rows(nodes, grid, level).flatten()
    entries = table.index_select(0, rows).view(len(x), 8, table.shape[1])
    return (entries * weights[..., None]).sum(1)


def node_rows(nodes: Tensor, grid: GridSpec, level: int) -> Tensor:
    """Table rows (...) of integer nodes (..., 3) of a level.

    In a dense level x varies fastest. In a hashed level the row is the exclusive or of the coordinates times
    `HASH_PRIMES` (instant-NGP, eq. 4), modulo the level's size. Nodes outside the unit cube wrap around.
    """
    i, j, k = nodes.unbind(-1)
    if grid.is_dense(level):
        r = grid.resolutions[level]
        index = i + r * (j + r * k)
    else:
        index = (i * HASH_PRIMES[0]) ^ (j * HASH_PRIMES[1]) ^ (k * HASH_PRIMES[2])
    return index.remainder(grid.sizes[level]) + grid.offsets[level]


def _corner_offsets(device: torch.device) -> Tensor:
    """(8, 3) offsets of the corners of a cell; x varies fastest."""
    corner = torch.arange(8, device=device)
    return torch.stack([corner & 1, corner >> 1 & 1, corner >> 2 & 1], dim=-1)
