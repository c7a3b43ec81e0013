# SPDX-License-Identifier: MIT
"""Marching cubes over a sparse set of dense bricks of ``size`` cells per axis.

A brick owns the ``size ** 3`` lattice nodes at the lower corners of its cells; the nodes on its far sides are owned by
its upper neighbours. Within a batch all look-ups are then array arithmetic: only bricks are ever searched for.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastsdf.meshing.cases import CORNERS, EDGE_AXIS, EDGE_CORNER, case_table
from fastsdf.meshing.lattice import contains, sorted_unique, step_key, unpack

NodeField = Callable[[np.ndarray], np.ndarray]


class BrickGrid(NamedTuple):
    """The bricks of one extraction.

    Attributes:
        size: cells per brick and axis.
        cells: (a,) sorted keys of the bricks that hold cells.
        nodes: (n,) sorted keys of the bricks that own nodes of those cells.
        corners: (a, 8) rank in ``nodes`` of the brick at each cell brick's offset ``CORNERS[o]``.
    """

    size: int
    cells: np.ndarray
    nodes: np.ndarray
    corners: np.ndarray


class Patch(NamedTuple):
    """The surface in one batch of bricks.

    Attributes:
        edges: (e,) sorted distinct edge keys, see :func:`edge_nodes`.
        ends: (e, 2) field values at each edge's lower and upper node.
        faces: (f, 3) int32 indices into ``edges``.
    """

    edges: np.ndarray
    ends: np.ndarray
    faces: np.ndarray


class NodeValues(NamedTuple):
    """Node values of some node bricks: sorted ``ranks`` (n,) and ``values`` (n, s, s, s), NaN where not evaluated."""

    ranks: np.ndarray
    values: np.ndarray

    def updated(self, newer: "NodeValues") -> "NodeValues":
        """These values with those of ``newer`` added, which win where both have a brick."""
        keep = ~contains(newer.ranks, self.ranks)
        ranks = np.concatenate((self.ranks[keep], newer.ranks))
        order = np.argsort(ranks)
        return NodeValues(ranks[order], np.concatenate((self.values[keep], newer.values))[order])

    def since(self, rank: int) -> "NodeValues":
        """The part that bricks from ``rank`` on own, copied."""
        start = np.searchsorted(self.ranks, rank)
        return NodeValues(self.ranks[start:].copy(), self.values[start:].copy())


def brick_grid(cells: np.ndarray, size: int) -> BrickGrid:
    """The grid whose cells lie in the bricks with the sorted keys ``cells`` (a,)."""
    around = cells[:, None] + step_key(CORNERS)
    nodes = sorted_unique(around)
    return BrickGrid(size, cells, nodes, np.searchsorted(nodes, around))


def edge_nodes(grid: BrickGrid, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower node index (e, 3) int64 and axis (e,) of edge keys (e,).

    An edge key is ``(rank of the owning node brick * size ** 3 + node number in it) * 3 + axis``.
    """
    node, axis = np.divmod(edges, 3)
    brick, local = np.divmod(node, grid.size**3)
    inside = np.stack(np.unravel_index(local, (grid.size,) * 3), axis=-1)
    return unpack(grid.nodes[brick]) * grid.size + inside, axis


def node_values(
    grid: BrickGrid, corners: np.ndarray, wanted: np.ndarray, field: NodeField, known: NodeValues
) -> NodeValues:
    """Field values at the wanted nodes of some cell bricks; none that is known already is evaluated again.

    Args:
        grid: the bricks.
        corners: (b, 8) rows of ``grid.corners``.
        wanted: (b, s+1, s+1, s+1) bool, nodes of the cell bricks.
        field: (n, 3) int64 node indices -> (n,) values.
        known: values from before, of these or other bricks.
    """
    size = grid.size
    ranks = sorted_unique(corners)
    slots = np.searchsorted(ranks, corners)
    values = np.full((len(ranks), size, size, size), np.nan)
    shared = contains(ranks, known.ranks)
    values[np.searchsorted(ranks, known.ranks[shared])] = known.values[shared]
    missing = np.zeros(values.shape, dtype=bool)
    for offset, (padded, owned) in enumerate(_parts(size)):
        missing[(slots[:, offset], *owned)] |= wanted[(slice(None), *padded)]
    missing &= np.isnan(values)
    flat = np.flatnonzero(missing)
    brick, local = np.divmod(flat, size**3)
    inside = np.stack(np.unravel_index(np.arange(size**3), (size,) * 3), axis=-1)
    values.ravel()[flat] = field((unpack(grid.nodes[ranks]) * size)[brick] + inside[local])
    return NodeValues(ranks, values)


def nodes_of(cell_mask: np.ndarray) -> np.ndarray:
    """(b, s+1, s+1, s+1) bool: the nodes of the cells in a mask (b, s, s, s)."""
    bricks, size = cell_mask.shape[:2]
    nodes = np.zeros((bricks, size + 1, size + 1, size + 1), dtype=bool)
    for x, y, z in CORNERS:
        nodes[:, x : x + size, y : y + size, z : z + size] |= cell_mask
    return nodes


def pair_nodes(pair_mask: np.ndarray) -> np.ndarray:
    """(b, s+1, s+1, s+1) bool: the corners and the centres of the cubes of two cells in a mask (b, s/2, s/2, s/2)."""
    bricks, half = pair_mask.shape[:2]
    nodes = np.zeros((bricks,) + (2 * half + 1,) * 3, dtype=bool)
    nodes[:, ::2, ::2, ::2] = nodes_of(pair_mask)
    nodes[:, 1::2, 1::2, 1::2] = pair_mask
    return nodes


def split_pairs(corners: np.ndarray, pair_mask: np.ndarray, nodes: NodeValues, slope: float) -> np.ndarray:
    """Cells (b, s, s, s) bool of the masked cubes of two cells that may hold surface.

    A cell has its cube's centre and one corner of the cube at opposite ends of a diagonal. No point of the cell has
    distances to the two that sum to more than 1 + sqrt(2) cells, so a zero in the cell bounds the sum of their values.

    Args:
        corners: (b, 8) rows of ``grid.corners``.
        pair_mask: (b, s/2, s/2, s/2) bool.
        nodes: values at least at :func:`pair_nodes`.
        slope: bound on the change of the field per cell.
    """
    half = pair_mask.shape[1]
    values = _gather(nodes, corners)
    centre, ends = values[:, 1::2, 1::2, 1::2], values[:, ::2, ::2, ::2]
    limit = (1.0 + np.sqrt(2.0)) * slope
    cells = np.zeros((len(corners),) + (2 * half,) * 3, dtype=bool)
    for x, y, z in CORNERS:
        end = ends[:, x : x + half, y : y + half, z : z + half]
        crossed = (end < 0) != (centre < 0)
        cells[:, x::2, y::2, z::2] = pair_mask & (crossed | (np.abs(end) + np.abs(centre) <= limit))
    return cells


def march(grid: BrickGrid, corners: np.ndarray, cell_mask: np.ndarray, nodes: NodeValues) -> Patch:
    """Triangles of the masked cells (b, s, s, s) of the cell bricks with ``corners`` (b, 8).

    Faces come in the order of bricks, cells and table rows, so consecutive batches can simply be joined.
    """
    size, table = grid.size, case_table()
    padded = (size + 1,) * 3
    slots = np.searchsorted(nodes.ranks, corners)
    case = _cases(_gather(nodes, corners) < 0, cell_mask)
    cell = np.flatnonzero(table.counts[case.ravel()])
    case = case.ravel()[cell]
    brick, local = np.divmod(cell, size**3)
    base = brick * (size + 1) ** 3 + np.ravel_multi_index(np.unravel_index(local, (size,) * 3), padded)

    counts = table.counts[case]
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    cell_edges = table.triangles[np.repeat(case, counts), row]
    stride = np.array([padded[0] ** 2, padded[0], 1])
    lower = np.repeat(base, counts)[:, None] + (CORNERS[EDGE_CORNER] @ stride)[cell_edges]
    node_of = _node_numbers(slots, size).ravel()
    axis = EDGE_AXIS[cell_edges]
    edge = node_of[lower] * 3 + axis

    used = np.zeros(nodes.values.size * 3, dtype=bool)
    used[edge] = True
    edges = np.flatnonzero(used)
    number = np.zeros(used.size, dtype=np.int32)
    number[edges] = np.arange(len(edges), dtype=np.int32)
    faces = number[edge]
    upper = np.empty(len(edges), dtype=np.int64)
    upper[faces] = node_of[lower + stride[axis]]
    flat = nodes.values.ravel()
    ends = np.stack((flat[edges // 3], flat[upper]), axis=1)
    owner, within = np.divmod(edges, 3 * size**3)
    return Patch(nodes.ranks[owner] * (3 * size**3) + within, ends, faces)


def _gather(nodes: NodeValues, corners: np.ndarray) -> np.ndarray:
    """(b, s+1, s+1, s+1) values at all nodes of the cell bricks with ``corners`` (b, 8)."""
    size = nodes.values.shape[1]
    slots = np.searchsorted(nodes.ranks, corners)
    values = np.empty((len(corners), size + 1, size + 1, size + 1))
    for offset, (padded, owned) in enumerate(_parts(size)):
        values[(slice(None), *padded)] = nodes.values[(slots[:, offset], *owned)]
    return values


def _cases(negative: np.ndarray, cell_mask: np.ndarray) -> np.ndarray:
    """Case number (b, s, s, s) uint8 of every cell from its nodes' signs (b, s+1, s+1, s+1), 0 outside the mask."""
    size = cell_mask.shape[1]
    bits = negative.view(np.uint8)
    case = np.zeros(cell_mask.shape, dtype=np.uint8)
    for bit, (x, y, z) in enumerate(CORNERS):
        case |= bits[:, x : x + size, y : y + size, z : z + size] << np.uint8(bit)
    return np.where(cell_mask, case, np.uint8(0))


def _node_numbers(slots: np.ndarray, size: int) -> np.ndarray:
    """(b, s+1, s+1, s+1) int64 number of every node of a cell brick among the values of its batch."""
    numbers = np.empty((len(slots), size + 1, size + 1, size + 1), dtype=np.int64)
    inside = np.arange(size**3).reshape(size, size, size)
    for offset, (there, owned) in enumerate(_parts(size)):
        numbers[(slice(None), *there)] = slots[:, offset, None, None, None] * size**3 + inside[owned]
    return numbers


def _parts(size: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each brick offset: where its nodes lie in the padded brick, and which of its own nodes they are."""
    sides = ((slice(0, size), slice(0, size)), (slice(size, size + 1), slice(0, 1)))
    return [(tuple(sides[s][0] for s in corner), tuple(sides[s][1] for s in corner)) for corner in CORNERS.tolist()]
