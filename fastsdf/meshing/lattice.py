# SPDX-License-Identifier: MIT
"""Sets of integer lattice cells as sorted int64 keys, and a field sampled on a lattice.

A cell index (i, j, k) packs into one key of three 21-bit fields, so that keys sort like (i, j, k) and a step to a
neighbouring cell is one addition: ``pack(ijk + d) == pack(ijk) + step_key(d)``.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.errors import MeshingError
from fastsdf.spatial.knn import point_index

Field = Callable[[Tensor], Tensor]

INDEX_BITS = 21  # bits per axis; three of them fit into a non-negative int64 key
INDEX_LIMIT = 1 << (INDEX_BITS - 1)  # cells; indices lie in [-INDEX_LIMIT, INDEX_LIMIT)
# Of one index in a packed key.
_MASK = (1 << INDEX_BITS) - 1


class SampledField(NamedTuple):
    """A field sampled on a lattice: node (i, j, k) lies at ``origin + (i, j, k) * voxel_size``.

    Attributes:
        sdf: world points (n, 3) float64 -> (n,) values on the same device, positive in free space.
        origin: (3,) float64 world point, on the device of the points.
        voxel_size: node spacing in world units.
        chunk_points: largest number of points per call of ``sdf``.
    """

    sdf: Field
    origin: Tensor
    voxel_size: float
    chunk_points: int

    def world(self, index: Tensor) -> Tensor:
        """World positions (n, 3) float64 of lattice positions (n, 3), which may be fractional."""
        return self.origin + index.double() * self.voxel_size

    def values(self, index: Tensor) -> Tensor:
        """Field values (n,) float64 at lattice positions (n, 3); raises MeshingError if one is not finite."""
        result = torch.empty(len(index), dtype=torch.float64, device=index.device)
        for start in range(0, len(index), self.chunk_points):
            part = slice(start, start + self.chunk_points)
            result[part] = self.sdf(self.world(index[part]))
        if not torch.isfinite(result).all():
            bad = self.world(index[~torch.isfinite(result)][:1])[0]
            raise MeshingError(f"the field is not finite at {bad.tolist()}; was training stopped by a diverging loss?")
        return result


def pack(ijk: Tensor) -> Tensor:
    """Keys of lattice indices.

    Args:
        ijk: (..., 3) integers, each in [-2^20, 2^20).

    Returns:
        (...) int64 non-negative keys, ordered like (i, j, k).
    """
    i, j, k = (ijk.long() + INDEX_LIMIT).unbind(-1)
    return (i << 2 * INDEX_BITS) | (j << INDEX_BITS) | k


def unpack(keys: Tensor) -> Tensor:
    """Lattice indices (..., 3) int64 of keys (...) made by `pack`."""
    fields = (keys >> 2 * INDEX_BITS, (keys >> INDEX_BITS) & _MASK, keys & _MASK)
    return torch.stack(fields, dim=-1) - INDEX_LIMIT


def step_key(step: Tensor) -> Tensor:
    """Difference of keys (...) for a move by ``step`` (..., 3) cells; valid while no index leaves its range."""
    i, j, k = step.long().unbind(-1)
    return (i << 2 * INDEX_BITS) + (j << INDEX_BITS) + k


def sorted_unique(keys: Tensor) -> Tensor:
    """The distinct keys in ascending order, (...) -> (m,) int64."""
    ordered = keys.flatten().sort().values
    return ordered[starts(ordered)]


def starts(ordered: Tensor) -> Tensor:
    """(n,) bool: True where a new value begins in a sorted tensor (n,)."""
    first = torch.ones(len(ordered), dtype=torch.bool, device=ordered.device)
    torch.ne(ordered[1:], ordered[:-1], out=first[1:])
    return first


def contains(sorted_keys: Tensor, queries: Tensor) -> Tensor:
    """Which queries (n,) are in the sorted, distinct keys (m,); (n,) bool."""
    if len(sorted_keys) == 0:
        return torch.zeros(len(queries), dtype=torch.bool, device=queries.device)
    position = torch.searchsorted(sorted_keys, queries).clamp_(max=len(sorted_keys) - 1)
    return sorted_keys[position] == queries


def cells_near_points(points: Tensor, distance: float | Tensor, *, origin: Tensor, cell_size: float) -> Tensor:
    """Finds the cells with any part within the support distance of a point.

    Cell (i, j, k) spans ``origin + [i, i+1] * cell_size`` per axis. The result is conservative: it contains every cell
    within reach of a point, and some whose nearest point is too far by up to about one cell diagonal. Distances that
    vary from point to point are rounded up to steps of sqrt(2).

    Args:
        points: (n, 3) float64 world points, n >= 1.
        distance: support distance in world units, >= 0: one number, or (n,) one per point.
        origin: (3,) world position of the lattice's node (0, 0, 0).
        cell_size: edge of a cell in world units, > 0.

    Returns:
        Sorted distinct int64 keys (see `pack`).
    """
    reach = torch.as_tensor(distance, dtype=torch.float64, device=points.device) / cell_size
    samples, reach = _thin(points, reach.expand(len(points)), origin, cell_size)
    octave = torch.ceil(2.0 * torch.log2(reach.clamp(min=0.125))).long()
    near = []
    for step in octave.unique().tolist():
        chosen = octave == step
        near.append(_cells_within(samples[chosen], float(reach[chosen].max())))
    return sorted_unique(torch.cat(near))


_SUBCELLS = 4  # sub-cells per cell edge; points are thinned to one per sub-cell before distances are measured


def _thin(points: Tensor, reach: Tensor, origin: Tensor, cell_size: float) -> tuple[Tensor, Tensor]:
    """One sample per occupied sub-cell: its centre in cell units (m, 3), and the largest reach of its points (m,)."""
    keys, order = pack(torch.floor((points - origin) * (_SUBCELLS / cell_size))).sort()
    first = starts(keys)
    distinct = keys[first]
    largest = torch.zeros(len(distinct), dtype=reach.dtype, device=reach.device)
    largest.scatter_reduce_(0, first.cumsum(0) - 1, reach[order], "amax")
    return (unpack(distinct).double() + 0.5) / _SUBCELLS, largest


def _cells_within(samples: Tensor, reach: float) -> Tensor:
    """Cells that a ball of radius ``reach`` (in cells) around some sample's sub-cell can touch."""
    candidates = _dilate(sorted_unique(pack(torch.floor(samples))), math.floor(reach) + 1)
    half_diagonal = 0.5 * math.sqrt(3.0)
    limit = reach + half_diagonal * (1.0 + 1.0 / _SUBCELLS)
    middle = unpack(candidates).double() + 0.5
    nearest = samples[point_index(samples).query(middle, 1)[1][:, 0]]
    return candidates[(nearest - middle).norm(dim=1) <= limit * (1.0 + 1e-9)]


def _dilate(keys: Tensor, radius: int) -> Tensor:
    """Sorted keys of all cells within ``radius`` cells per axis (a box), grown along one axis after the other."""
    for step in step_key(torch.eye(3, dtype=torch.int64)).tolist():
        keys = keys - radius * step
        width, goal = 1, 2 * radius + 1
        while width < goal:
            shift = min(width, goal - width)
            keys = sorted_unique(torch.cat((keys, keys + shift * step)))
            width += shift
    return keys
