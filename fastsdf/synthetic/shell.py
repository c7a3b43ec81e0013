# SPDX-License-Identifier: MIT
"""Solid walls with openings, and their windows, doors and baseboards; metres.

A wall is built in its own frame: x runs along the wall from 0 to its length, y = 0 is its face towards the room, +y
points into the wall, and z points up. ``wall_frame`` places the four walls of a room [0, size].
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic.solids import box, merged, moved, rod, rotation

OUTER_M = 0.2  # thickness of outer walls, floors and ceilings; chosen, as in real buildings


class Opening(NamedTuple):
    """A rectangular hole in a wall, in the wall's frame."""

    left: float
    right: float
    bottom: float
    top: float


class Frame(NamedTuple):
    """Pose of a wall in its room, rotation (3, 3) and origin (3,), with the length of the wall."""

    rotation: np.ndarray
    origin: np.ndarray
    length: float

    def place(self, mesh: TriangleMesh, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> TriangleMesh:
        """Shift a mesh by (x, y, z) in the wall's frame and transform it to the room's frame."""
        return moved(moved(mesh, (x, y, z)), self.origin, self.rotation)


def wall_frame(index: int, size: Sequence[float]) -> Frame:
    """Frame of wall ``index`` of a room [0, size]: 0 is at +y, 1 at -x, 2 at -y, 3 at +x."""
    length, width = float(size[0]), float(size[1])
    origins = ((0.0, width, 0.0), (0.0, 0.0, 0.0), (length, 0.0, 0.0), (length, width, 0.0))
    return Frame(rotation((0, 0, 1), 90.0 * index), np.array(origins[index]), length if index % 2 == 0 else width)


def slabs(size: Sequence[float]) -> list[TriangleMesh]:
    """Floor and ceiling of a room [0, size]; they extend below and above its outer walls."""
    t = OUTER_M
    bounds = ((-t, 0.0), (size[2], size[2] + t))
    return [box((-t, -t, low), (size[0] + t, size[1] + t, high)) for low, high in bounds]


def wall(start: float, end: float, height: float, thickness: float, openings: Sequence[Opening] = ()) -> TriangleMesh:
    """A wall from x = ``start`` to x = ``end``, made of solid blocks around its openings."""
    blocks, x = [], start
    for hole in sorted(openings):
        blocks.append(box((x, 0, 0), (hole.left, thickness, height)))
        if hole.bottom > 0:
            blocks.append(box((hole.left, 0, 0), (hole.right, thickness, hole.bottom)))
        blocks.append(box((hole.left, 0, hole.top), (hole.right, thickness, height)))
        x = hole.right
    return merged([*blocks, box((x, 0, 0), (end, thickness, height))])


def window(hole: Opening, thickness: float = OUTER_M) -> TriangleMesh:
    """A window: a pane at the back of the opening, its frame, bar and handle, and a sill that projects 5 cm."""
    left, right, low, high = hole
    back, bar = thickness - 0.04, 0.05
    solids = [box((left, back, low), (right, thickness, high))]
    middle = (left + right) / 2
    for x in (left, middle - bar / 2, right - bar):
        solids.append(box((x, back - bar, low), (x + bar, back, high)))
    for z in (low, high - bar):
        solids.append(box((left + bar, back - bar, z), (right - bar, back, z + bar)))
    solids.append(box((left - 0.04, -0.05, low - 0.03), (right + 0.04, 0.02, low)))
    solids.append(
        rod((middle, back - bar - 0.03, (low + high) / 2), (middle, back - bar - 0.03, (low + high) / 2 + 0.12), 0.009)
    )
    solids.append(rod((middle, back - bar, (low + high) / 2), (middle, back - bar - 0.03, (low + high) / 2), 0.009))
    return merged(solids)


def casing(hole: Opening, face: float = 0.0, side: int = -1) -> TriangleMesh:
    """The trim around a door opening on the wall face at y = ``face``; it projects towards ``side`` (-1 or 1)."""
    low, high = sorted((face, face + side * 0.015))
    width = 0.07
    posts = [box((x, low, 0), (x + width, high, hole.top + width)) for x in (hole.left - width, hole.right)]
    return merged([*posts, box((hole.left, low, hole.top), (hole.right, high, hole.top + width))])


def door_leaf(hole: Opening, degrees: float) -> TriangleMesh:
    """A door leaf 4 cm thick with handles, hinged at the left of its opening and swung ``degrees`` into the room."""
    width, top = hole.right - hole.left - 0.01, hole.top - 0.005
    solids = [box((0, -0.04, 0.008), (width, 0, top))]
    for face, away in ((-0.04, -1), (0.0, 1)):
        grip = face + away * 0.05
        solids.append(rod((width - 0.06, face, 1.03), (width - 0.06, grip, 1.03), 0.01))
        solids.append(rod((width - 0.05, grip, 1.03), (width - 0.18, grip, 1.03), 0.01))
    return moved(merged(solids), (hole.left + 0.005, 0, 0), rotation((0, 0, 1), -degrees))


def closed_back(hole: Opening, thickness: float = OUTER_M) -> TriangleMesh:
    """A panel that closes a door opening at the back of the wall."""
    return box((hole.left, thickness - 0.04, hole.bottom), (hole.right, thickness, hole.top))


def baseboard(length: float, openings: Sequence[Opening] = ()) -> TriangleMesh:
    """A baseboard 8 cm high and 12 mm thick along the wall, with gaps at door openings and their trim."""
    boards, x = [], 0.0
    for hole in sorted(o for o in openings if o.bottom == 0.0):
        boards.append(box((x, -0.012, 0), (hole.left - 0.07, 0, 0.08)))
        x = hole.right + 0.07
    return merged([*boards, box((x, -0.012, 0), (length, 0, 0.08))])
