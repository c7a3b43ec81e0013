# SPDX-License-Identifier: MIT
"""Runs marching cubes over a sparse set of dense bricks of ``size`` cells per axis.

A brick owns the ``size ** 3`` lattice nodes at the lower corners of its cells; the nodes on its upper faces belong to
its upper neighbours. Only bricks are looked up by search. Within a block of bricks every look-up is array arithmetic: a
block has one table of node numbers, and a cell is the index of its lowest node in that table.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.meshing.lattice import contains, sorted_unique, step_key, unpack
from fastsdf.meshing.marching_cubes_table import CORNERS, EDGE_AXIS, EDGE_CORNER, case_table

NodeField = Callable[[Tensor], Tensor]


class BrickGrid(NamedTuple):
    """The bricks of one extraction.

    Attributes:
        size: cells per axis of a brick.
        cells: (a,) sorted keys of the bricks that hold cells.
        nodes: (n,) sorted keys of the bricks that own nodes of those cells.
        corners: (a, 8) index in ``nodes`` of the brick at offset ``CORNERS[o]`` from each cell brick.
    """

    size: int
    cells: Tensor
    nodes: Tensor
    corners: Tensor


class NodeValues(NamedTuple):
    """Node values of some node bricks.

    Attributes:
        ranks: (n,) sorted indices of the bricks in ``BrickGrid.nodes``.
        values: (n, size^3) values of their nodes, NaN where not evaluated.
    """

    ranks: Tensor
    values: Tensor

    def updated(self, newer: "NodeValues") -> "NodeValues":
        """Returns the values of both; ``newer`` replaces bricks that both have."""
        keep = ~contains(newer.ranks, self.ranks)
        ranks, order = torch.cat((self.ranks[keep], newer.ranks)).sort()
        return NodeValues(ranks, torch.cat((self.values[keep], newer.values))[order])

    def since(self, rank: Tensor) -> "NodeValues":
        """Returns a copy of the values of the bricks from ``rank`` on."""
        later = self.ranks >= rank
        return NodeValues(self.ranks[later], self.values[later])


class Block(NamedTuple):
    """Some consecutive cell bricks.

    A cell, or a cube of two cells per axis, is given by its cell index: the index of its lowest node in ``numbers``.

    Attributes:
        grid: the bricks of the extraction.
        numbers: (b * (size+1)^3,) node number of every node of the b cell bricks: its index in the flat node values.
        nodes: values of the node bricks of the cell bricks, changed in place by `evaluate`.
    """

    grid: BrickGrid
    numbers: Tensor
    nodes: NodeValues

    @property
    def corner_steps(self) -> Tensor:
        """(8,) index differences from the lowest node of a cell to its eight corners."""
        side = self.grid.size + 1
        return (CORNERS * torch.tensor([side * side, side, 1])).sum(1).to(self.numbers.device)

    def cell_indices(self, brick: Tensor, inside: Tensor) -> Tensor:
        """Cell indices (p,) of the cells at ``inside`` (p, 3), each 0..size-1, of the block's bricks (p,), 0..b-1."""
        side = self.grid.size + 1
        x, y, z = inside.unbind(1)
        return ((brick * side + x) * side + y) * side + z

    def evaluate(self, numbers: Tensor, field: NodeField) -> Tensor:
        """Returns the values at node numbers of any shape, in that shape; evaluates only nodes not known yet.

        Args:
            numbers: entries of ``self.numbers``, possibly repeated.
            field: (n, 3) int64 node indices -> (n,) values.
        """
        grid, values = self.grid, self.nodes.values.view(-1)
        missing = torch.zeros(len(values), dtype=torch.bool, device=values.device)
        missing[numbers] = True
        unknown = (missing & values.isnan()).nonzero()[:, 0]
        brick, local = unknown // grid.size**3, unknown % grid.size**3
        inside = _raster(grid.size, values.device)
        values[unknown] = field((unpack(grid.nodes[self.nodes.ranks]) * grid.size)[brick] + inside[local])
        return values[numbers]


class Patch(NamedTuple):
    """The surface in one block.

    Attributes:
        edges: (e,) sorted distinct edge keys, see `edge_nodes`.
        ends: (e, 2) field values at each edge's lower and upper node.
        faces: (f, 3) int32 indices into ``edges``.
    """

    edges: Tensor
    ends: Tensor
    faces: Tensor


def brick_grid(cells: Tensor, size: int) -> BrickGrid:
    """Makes the grid whose cells lie in the bricks with the sorted keys ``cells`` (a,)."""
    around = cells[:, None] + step_key(CORNERS).to(cells.device)
    nodes = sorted_unique(around)
    return BrickGrid(size, cells, nodes, torch.searchsorted(nodes, around))


def edge_nodes(grid: BrickGrid, edges: Tensor) -> tuple[Tensor, Tensor]:
    """Lower node index (e, 3) int64 and axis (e,) of edge keys (e,).

    An edge key is ``(index of the owning node brick * size ** 3 + node number in it) * 3 + axis``.
    """
    node, axis = edges // 3, edges % 3
    brick, local = node // grid.size**3, node % grid.size**3
    return unpack(grid.nodes[brick]) * grid.size + _raster(grid.size, edges.device)[local], axis


def no_values(grid: BrickGrid) -> NodeValues:
    """Makes empty node values, of no brick."""
    device = grid.cells.device
    values = torch.zeros((0, grid.size**3), dtype=torch.float64, device=device)
    return NodeValues(torch.zeros(0, dtype=torch.int64, device=device), values)


def open_block(grid: BrickGrid, start: int, stop: int, known: NodeValues) -> Block:
    """Makes the block of the cell bricks ``start`` to ``stop``, with the node values that are ``known`` already."""
    corners, size = grid.corners[start:stop], grid.size
    ranks = sorted_unique(corners)
    values = known.values.new_full((len(ranks), size**3), torch.nan)
    shared = contains(ranks, known.ranks)
    values[torch.searchsorted(ranks, known.ranks[shared])] = known.values[shared]
    padded = _raster(size + 1, corners.device)
    beyond = padded // size
    offset = (beyond * beyond.new_tensor([1, 2, 4])).sum(1)
    local = ((padded % size) * beyond.new_tensor([size * size, size, 1])).sum(1)
    numbers = (torch.searchsorted(ranks, corners) * size**3)[:, offset].add_(local)
    return Block(grid, numbers.view(-1), NodeValues(ranks, values))


def split_pairs(block: Block, pairs: Tensor, field: NodeField, slope: float) -> Tensor:
    """Cell indices (c,) of the cells that may hold surface, within cubes of two cells per axis.

    The centre of a cube and one of its corners are opposite corners of each of its cells. The distances from a point of
    the cell to these two sum to at most 1 + sqrt(2) cells. So if the field is zero at that point, its absolute values
    at the two corners sum to at most ``(1 + sqrt(2)) * slope``.

    Args:
        block: receives the values at the corners and the centres of the cubes.
        pairs: (p,) cell indices of the cubes.
        field: (n, 3) int64 node indices -> (n,) values.
        slope: upper bound on the change of the field per cell.
    """
    cells = pairs[:, None] + block.corner_steps
    corners_and_centre = torch.cat((pairs[:, None] + 2 * block.corner_steps, cells[:, 7:]), dim=1)
    values = block.evaluate(block.numbers[corners_and_centre], field)
    ends, centre = values[:, :8], values[:, 8:]
    crossed = (ends < 0) != (centre < 0)
    return cells[crossed | (ends.abs() + centre.abs() <= (1.0 + 2.0**0.5) * slope)]


def march(block: Block, cells: Tensor, field: NodeField) -> Patch:
    """Triangles of the cells with indices (c,) of a block; the block receives the values at their corners.

    Faces are ordered by cell and by row of the case table, so that the patches of consecutive blocks can be joined.
    """
    device = cells.device
    table = case_table(device)
    numbers = block.numbers[cells[:, None] + block.corner_steps]
    negative = block.evaluate(numbers, field) < 0
    case = (negative.float() @ (1 << torch.arange(8, device=device)).float()).long()
    values = block.nodes.values.view(-1)
    crossed = table.counts[case].nonzero()[:, 0]
    case = case[crossed]

    counts = table.counts[case]
    cell = torch.repeat_interleave(torch.arange(len(case), device=device), counts)
    row = torch.arange(len(cell), device=device) - (counts.cumsum(0) - counts)[cell]
    cell_edges = table.triangles[case[cell], row]
    axis, lower = EDGE_AXIS.to(device)[cell_edges], EDGE_CORNER.to(device)[cell_edges]
    numbers = numbers[crossed][cell]
    edge = numbers.gather(1, lower) * 3 + axis

    used = torch.zeros(3 * len(values), dtype=torch.bool, device=device)
    used[edge.flatten()] = True
    edges = used.nonzero()[:, 0]
    rank = torch.empty(len(used), dtype=torch.int32, device=device)
    rank[edges] = torch.arange(len(edges), dtype=torch.int32, device=device)
    faces = rank[edge]
    upper = torch.empty_like(edges)
    upper[faces.flatten().long()] = numbers.gather(1, lower + (1 << axis)).flatten()
    ends = torch.stack((values[edges // 3], values[upper]), dim=1)
    per_brick = 3 * block.grid.size**3
    return Patch(block.nodes.ranks[edges // per_brick] * per_brick + edges % per_brick, ends, faces)


def _raster(side: int, device: torch.device) -> Tensor:
    """(side^3, 3) int64 indices of the nodes of a cube; the last index changes fastest."""
    line = torch.arange(side, device=device)
    return torch.cartesian_prod(line, line, line)
