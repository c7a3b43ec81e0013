# SPDX-License-Identifier: MIT
"""Places furniture on the floor of a room without overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic import decor, furniture
from fastsdf.synthetic.furniture import Piece
from fastsdf.synthetic.shell import Opening, wall_frame
from fastsdf.synthetic.solids import moved, rotation

_TRIES = 300  # random positions per piece; chosen: a piece that fits is nearly always placed
_WALL_GAP_M = 0.02  # between a piece and the wall behind it; chosen: two separate surfaces


class Patch(NamedTuple):
    """A rotated rectangle of floor: centre, yaw in degrees, width along its x and depth along its y; metres."""

    x: float
    y: float
    yaw: float
    width: float
    depth: float

    def corners(self, margin: float = 0.0) -> np.ndarray:
        """The four corners (4, 2) of the rectangle, enlarged by ``margin`` on each side."""
        matrix = rotation((0, 0, 1), self.yaw)[:2, :2]
        half = np.array([self.width / 2 + margin, self.depth / 2 + margin])
        return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ matrix.T + (self.x, self.y)


def overlaps(a: Patch, b: Patch, margin: float) -> bool:
    """Whether two patches come closer than ``margin``, by the separating axis theorem."""
    first, second = a.corners(margin), b.corners()
    for yaw in (a.yaw, a.yaw + 90.0, b.yaw, b.yaw + 90.0):
        axis = rotation((0, 0, 1), yaw)[:2, 0]
        p, q = first @ axis, second @ axis
        if p.max() < q.min() or q.max() < p.min():
            return False
    return True


def keep_clear(index: int, size: Sequence[float], hole: Opening, depth: float = 0.95) -> Patch:
    """The floor in front of an opening in wall ``index`` of a room [0, size], ``depth`` metres into the room."""
    frame = wall_frame(index, size)
    x, y, _ = frame.rotation @ np.array([(hole.left + hole.right) / 2, -depth / 2, 0.0]) + frame.origin
    return Patch(x, y, 90.0 * index, hole.right - hole.left + 0.1, depth)


@dataclass
class Floor:
    """The floor of a room [0, size]: occupied patches, and the furniture placed so far in the room's frame."""

    size: Sequence[float]
    taken: list[Patch]
    solids: list[TriangleMesh] = field(default_factory=list)

    def put(self, piece: Piece, x: float, y: float, yaw: float, margin: float = 0.05) -> bool:
        """Place a piece with its centre at (x, y) if it fits there; returns whether it did."""
        patch = Patch(x, y, yaw, piece.width, piece.depth)
        corners = patch.corners()
        inside = corners.min() > 0.01 and (corners.max(axis=0) < np.asarray(self.size[:2]) - 0.01).all()
        if not inside or any(overlaps(patch, other, margin) for other in self.taken):
            return False
        self.taken.append(patch)
        self.solids.append(moved(piece.mesh, (x, y, 0.0), rotation((0, 0, 1), yaw)))
        return True

    def put_at_wall(self, piece: Piece, rng: np.random.Generator) -> bool:
        """Place a piece with its back to a random wall; returns False if no free position was found."""
        for _ in range(_TRIES):
            index = int(rng.integers(4))
            frame = wall_frame(index, self.size)
            along = rng.uniform(piece.width / 2, max(frame.length - piece.width / 2, piece.width / 2))
            local = np.array([along, -piece.depth / 2 - _WALL_GAP_M, 0.0])
            x, y, _z = frame.rotation @ local + frame.origin
            if self.put(piece, x, y, 90.0 * index):
                return True
        return False

    def put_anywhere(self, piece: Piece, rng: np.random.Generator) -> bool:
        """Place a piece at a random position and angle; returns False if no free position was found."""
        for _ in range(_TRIES):
            x, y = rng.uniform((0.0, 0.0), np.asarray(self.size[:2]))
            if self.put(piece, x, y, float(rng.uniform(0, 360))):
                return True
        return False

    def put_facing(self, piece: Piece, target: Patch, rng: np.random.Generator) -> bool:
        """Place a seat beside ``target``, facing it within 20 degrees; returns False if no free position was found."""
        for _ in range(_TRIES):
            side = int(rng.integers(4))
            reach = (target.depth if side % 2 == 0 else target.width) / 2 + piece.depth / 2 + rng.uniform(0.0, 0.2)
            shift = rng.uniform(-0.35, 0.35) * (target.width if side % 2 == 0 else target.depth)
            local = rotation((0, 0, 1), 90.0 * side + target.yaw)[:2, :2] @ np.array([shift, reach])
            yaw = target.yaw + 90.0 * side + float(rng.uniform(-20, 20))
            if self.put(piece, target.x + local[0], target.y + local[1], yaw, margin=0.01):
                return True
        return False


def furnish(
    rng: np.random.Generator, size: Sequence[float], clear: Sequence[Patch], kind: int = 0
) -> list[TriangleMesh]:
    """Furnish one room.

    Args:
        rng: random generator for all choices.
        size: (length, width, height) of the room [0, size], metres.
        clear: floor that must stay free, such as that of doors and their swing.
        kind: rooms of an even kind get a bed, others a sofa.

    Returns:
        Meshes in the room's frame; pieces that did not fit are left out.
    """
    floor = Floor(size, list(clear))
    big = (furniture.bed, furniture.drawers) if kind % 2 == 0 else (furniture.sofa, furniture.sideboard)
    for build in (big[0], furniture.wardrobe, furniture.bookshelf):
        floor.put_at_wall(build(rng), rng)
    if floor.put_anywhere(furniture.table(rng), rng):
        target = floor.taken[-1]
        for _ in range(3):
            floor.put_facing(furniture.chair(rng), target, rng)
    for build in (big[1], decor.plant, decor.floor_lamp):
        floor.put_at_wall(build(rng), rng)
    for build in (furniture.stool, decor.crate, decor.bin_basket, decor.ball, furniture.chair):
        floor.put_anywhere(build(rng), rng)
    carpet = decor.rug(rng)
    center = (size[0] / 2, size[1] / 2, 0.0)
    floor.solids.append(moved(carpet.mesh, center, rotation((0, 0, 1), float(rng.uniform(0, 180)))))
    return floor.solids
