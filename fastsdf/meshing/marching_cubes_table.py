# SPDX-License-Identifier: MIT
"""Derives the marching-cubes case table from one rule per cube face.

Corner ``c`` of a cell sits at ``(c & 1, c >> 1 & 1, c >> 2 & 1)``; case bit ``c`` is set when that corner is negative
(solid). Edge ``e`` runs along axis ``e // 4`` upwards from corner ``EDGE_CORNER[e]``.

The rule: on every face, one segment cuts off each run of negative corners, so that on an ambiguous face (two diagonal
negative corners) the negative corners are separated. The rule depends only on the four signs of that face, hence two
cells that share a face draw the same segments on it, in opposite directions: the surface is closed and consistently
oriented. Within a cell every crossed edge belongs to exactly one loop, so two loops never share an edge of the surface.
"""

from functools import cache
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

CORNERS = torch.tensor([(c & 1, c >> 1 & 1, c >> 2 & 1) for c in range(8)])  # (8, 3) offsets of the corners
EDGE_AXIS = torch.arange(3).repeat_interleave(4)  # (12,) axis of each edge
EDGE_CORNER = torch.tensor([c for axis in range(3) for c in range(8) if not c >> axis & 1])  # (12,) lower corners


class CaseTable(NamedTuple):
    """Triangles of the 256 sign cases.

    Attributes:
        counts: (256,) int64 number of triangles.
        triangles: (256, t, 3) int64 edge numbers 0..11, counter-clockwise seen from the positive side; rows past the
            count are zero.
    """

    counts: Tensor
    triangles: Tensor


@cache
def case_table(device: torch.device) -> CaseTable:
    """Returns the table for all 256 cases; bit ``c`` of the case number is set when corner ``c`` is negative."""
    per_case = [[t for loop in case_loops(case) for t in _fan(loop)] for case in range(256)]
    counts = torch.tensor([len(triangles) for triangles in per_case])
    table = torch.zeros((256, int(counts.max()), 3), dtype=torch.int64)
    for case, triangles in enumerate(per_case):
        if triangles:
            table[case, : len(triangles)] = torch.tensor(triangles)
    return CaseTable(counts.to(device), table.to(device))


def case_loops(case: int) -> list[list[int]]:
    """Closed loops of crossed edges of one case, each counter-clockwise seen from the positive side.

    Args:
        case: 0..255, bit ``c`` set when corner ``c`` is negative.

    Returns:
        Lists of edge numbers 0..11; every crossed edge occurs in exactly one loop, once.
    """
    follower: dict[int, int] = {}
    for face in _faces():
        follower.update(_segments(face, case))
    loops = []
    while follower:
        start, edge = follower.popitem()
        loop = [start]
        while edge != start:
            loop.append(edge)
            edge = follower.pop(edge)
        loops.append(loop)
    return loops


def _segments(face: tuple[int, ...], case: int) -> dict[int, int]:
    """Directed segments on a face, one per run of negative corners: first crossed edge -> last crossed edge."""
    negative = [bool(case >> corner & 1) for corner in face]
    segments = {}
    for i in range(4):
        if negative[i] and not negative[i - 1]:
            last = i
            while negative[(last + 1) % 4]:
                last += 1
            segments[_edge(face[i - 1], face[i])] = _edge(face[last % 4], face[(last + 1) % 4])
    return segments


@cache
def _faces() -> tuple[tuple[int, ...], ...]:
    """The four corners of each cube face, counter-clockwise seen from outside the cell."""
    faces = []
    for axis in range(3):
        u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        faces.append((0, v, u | v, u))
        faces.append(tuple((1 << axis) | corner for corner in (0, u, u | v, v)))
    return tuple(faces)


@cache
def _edge(a: int, b: int) -> int:
    """Number of the edge between two adjacent corners."""
    axis = (a ^ b).bit_length() - 1
    return int(torch.nonzero(EDGE_AXIS.eq(axis) & EDGE_CORNER.eq(min(a, b))))


def _fan(loop: list[int]) -> list[tuple[int, int, int]]:
    """Fan triangles of a loop, from the apex whose diagonals avoid the cube faces and are shortest.

    The neighbouring cell could draw a diagonal inside a cube face too, and that edge would then have four triangles.
    All 256 cases have an apex without such diagonals (see the tests).
    """
    rotations = [loop[i:] + loop[:i] for i in range(len(loop))]
    best = min(rotations, key=lambda r: (*_fan_cost(r), r[0]))
    return [(best[0], best[i], best[i + 1]) for i in range(1, len(best) - 1)]


def _fan_cost(loop: list[int]) -> tuple[int, float]:
    """The number of diagonals that lie in a cube face, and the summed squared length of all diagonals."""
    diagonals = [(loop[0], other) for other in loop[2:-1]]
    lengths = [float(((_midpoint(a) - _midpoint(b)) ** 2).sum()) for a, b in diagonals]
    return sum(share_face(a, b) for a, b in diagonals), sum(lengths)


def share_face(a: int, b: int) -> bool:
    """Whether two edges lie in a common face of the cell."""
    return any({a, b} <= {_edge(p, q) for p, q in combinations(f, 2) if (p ^ q).bit_count() == 1} for f in _faces())


def _midpoint(edge: int) -> Tensor:
    return CORNERS[EDGE_CORNER[edge]] + 0.5 * torch.eye(3)[EDGE_AXIS[edge]]
