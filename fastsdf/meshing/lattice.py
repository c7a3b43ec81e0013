# SPDX-License-Identifier: MIT
"""Sets of integer lattice cells as sorted int64 keys, and a field sampled on a lattice.

A cell index (i, j, k) packs into one key of three 21-bit fields, so that keys sort like (i, j, k) and a step to a
neighbouring cell is one addition: ``pack(ijk + d) == pack(ijk) + step_key(d)``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from fastsdf.errors import MeshingError

Field = Callable[[np.ndarray], np.ndarray]

INDEX_BITS = 21
INDEX_LIMIT = 1 << (INDEX_BITS - 1)
_MASK = (1 << INDEX_BITS) - 1


class SampledField(NamedTuple):
    """A field sampled on a lattice: node (i, j, k) lies at ``origin + (i, j, k) * voxel_size``.

    Attributes:
        sdf: world points (n, 3) float64 -> (n,) values, positive in free space.
        origin: (3,) float64 world point.
        voxel_size: world units.
        chunk_points: most points per call of ``sdf``.
    """

    sdf: Field
    origin: np.ndarray
    voxel_size: float
    chunk_points: int

    def world(self, index: np.ndarray) -> np.ndarray:
        """World positions (n, 3) float64 of lattice positions (n, 3), which may be fractional."""
        return self.origin + index * self.voxel_size

    def values(self, index: np.ndarray) -> np.ndarray:
        """Field values (n,) float64 at lattice positions (n, 3); raises MeshingError if one is not finite."""
        result = np.empty(len(index))
        for start in range(0, len(index), self.chunk_points):
            part = slice(start, start + self.chunk_points)
            result[part] = self.sdf(self.world(index[part]))
        if not np.isfinite(result).all():
            bad = self.world(index[~np.isfinite(result)][:1])[0]
            raise MeshingError(f"the field is not finite at {bad.tolist()}; was training stopped by a diverging loss?")
        return result


def pack(ijk: np.ndarray) -> np.ndarray:
    """Keys of lattice indices.

    Args:
        ijk: (..., 3) integers, each in [-2^20, 2^20).

    Returns:
        (...) int64 non-negative keys, ordered like (i, j, k).
    """
    i, j, k = (ijk[..., axis].astype(np.int64) + INDEX_LIMIT for axis in range(3))
    return (i << 2 * INDEX_BITS) | (j << INDEX_BITS) | k


def unpack(keys: np.ndarray) -> np.ndarray:
    """Lattice indices (..., 3) int64 of keys (...) made by :func:`pack`."""
    fields = (keys >> 2 * INDEX_BITS, (keys >> INDEX_BITS) & _MASK, keys & _MASK)
    return np.stack(fields, axis=-1) - INDEX_LIMIT


def step_key(step: np.ndarray) -> np.ndarray:
    """What to add to a key to move by ``step`` (..., 3) cells, as long as no index leaves its range."""
    i, j, k = (np.asarray(step)[..., axis].astype(np.int64) for axis in range(3))
    return (i << 2 * INDEX_BITS) + (j << INDEX_BITS) + k


def sorted_unique(keys: np.ndarray) -> np.ndarray:
    """The distinct keys in ascending order, (n,) -> (m,) int64."""
    ordered = np.sort(keys, axis=None)
    return ordered[_starts(ordered)]


def contains(sorted_keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Which queries (n,) are in the sorted, distinct keys (m,); (n,) bool."""
    if len(sorted_keys) == 0:
        return np.zeros(len(queries), dtype=bool)
    position = np.minimum(np.searchsorted(sorted_keys, queries), len(sorted_keys) - 1)
    return sorted_keys[position] == queries


def cells_near_points(
    points: np.ndarray, distance: float | np.ndarray, *, origin: np.ndarray, cell_size: float
) -> np.ndarray:
    """Cells with any part within the support distance of a point.

    Cell (i, j, k) spans ``origin + [i, i+1] * cell_size`` per axis. The answer is conservative: it holds every cell
    that some point reaches, and some whose nearest point is up to about one cell diagonal too far. Distances that
    vary from point to point are rounded up to steps of sqrt(2).

    Args:
        points: (n, 3) float64 world points.
        distance: support distance in world units, >= 0: one number, or (n,) one per point.
        origin: (3,) world position of the lattice.
        cell_size: edge of a cell in world units, > 0.

    Returns:
        Sorted distinct int64 keys (see :func:`pack`).
    """
    reach = np.broadcast_to(np.asarray(distance, dtype=np.float64), len(points)) / cell_size
    samples, reach = _thin(points, reach, origin, cell_size)
    octave = np.ceil(2.0 * np.log2(np.maximum(reach, 0.125))).astype(np.int64)
    near = [_cells_within(samples[octave == o], float(reach[octave == o].max())) for o in np.unique(octave)]
    return sorted_unique(np.concatenate(near)) if near else np.zeros(0, dtype=np.int64)


_SUBCELLS = 4  # points are thinned to one per sub-cell (a quarter of a cell) before any distance is measured


def _thin(points: np.ndarray, reach: np.ndarray, origin: np.ndarray, cell_size: float) -> tuple[np.ndarray, np.ndarray]:
    """One sample per occupied sub-cell: its centre in cell units (m, 3), and its points' greatest reach (m,)."""
    keys = pack(np.floor((points - origin) * (_SUBCELLS / cell_size)).astype(np.int64))
    if reach.size and reach.min() == reach.max():
        distinct = sorted_unique(keys)
        largest = np.full(len(distinct), reach[0])
    else:
        order = np.argsort(keys)
        first = np.flatnonzero(_starts(keys[order]))
        distinct = keys[order[first]]
        largest = np.maximum.reduceat(reach[order], first) if len(first) else reach
    return (unpack(distinct) + 0.5) / _SUBCELLS, largest


def _cells_within(samples: np.ndarray, reach: float) -> np.ndarray:
    """Cells that a ball of radius ``reach`` (in cells) around some sample's sub-cell can touch."""
    occupied = sorted_unique(pack(np.floor(samples).astype(np.int64)))
    candidates = _dilate(occupied, int(np.floor(reach)) + 1)
    half_diagonal = 0.5 * np.sqrt(3.0)
    limit = reach + half_diagonal * (1.0 + 1.0 / _SUBCELLS)
    gap, _ = KDTree(samples).query(unpack(candidates) + 0.5, distance_upper_bound=limit * (1 + 1e-9), workers=-1)
    return candidates[np.isfinite(gap)]


def _dilate(keys: np.ndarray, radius: int) -> np.ndarray:
    """Sorted keys of all cells within ``radius`` cells per axis (a box), grown one axis at a time by doubling."""
    for step in step_key(np.eye(3, dtype=np.int64)):
        keys = keys - radius * step
        width, goal = 1, 2 * radius + 1
        while width < goal:
            shift = min(width, goal - width)
            keys = sorted_unique(np.concatenate((keys, keys + shift * step)))
            width += shift
    return keys


def _starts(ordered: np.ndarray) -> np.ndarray:
    """(n,) bool: where a new value begins in a sorted array."""
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first
