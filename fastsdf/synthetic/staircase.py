# SPDX-License-Identifier: MIT
"""A stairwell of one storey: a solid flight, a half landing, an open flight above it, and rails; metres.

x runs across both flights and y from the doors to the half landing. The first flight rises along +y at x = 0, the
second along -y on the other side.
"""

from dataclasses import dataclass

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic import decor, shell
from fastsdf.synthetic.scene import Scene, scene_of
from fastsdf.synthetic.shell import OUTER_M, Opening, wall_frame
from fastsdf.synthetic.solids import box, merged, moved, rod, rotation
from fastsdf.synthetic.stations import Zone

# Dimensions, chosen to look like those of real buildings.
RISERS = 8  # per flight
TREAD_M = 0.04  # thickness
SLAB_M = 0.2  # thickness of a landing
_FLIGHT_M = 1.1  # width
_WELL_M = 0.3  # gap between the flights
_LANDING_M = 1.3  # depth
_RAIL_M = 0.9  # height of a handrail above the steps
_HEADROOM_M = 2.5  # above the upper landing


@dataclass(frozen=True)
class Stairs:
    """Dimensions of a stairwell, metres.

    Attributes:
        riser: height of a step; each flight has 8.
        going: depth of a tread.
    """

    riser: float
    going: float

    @property
    def half_m(self) -> float:
        """Height of the half landing."""
        return RISERS * self.riser

    @property
    def run(self) -> float:
        """Horizontal length of a flight, whose last riser ends at a landing."""
        return (RISERS - 1) * self.going

    @property
    def size(self) -> tuple[float, float, float]:
        """Inner (length, width, height) of the stairwell."""
        return 2 * _FLIGHT_M + _WELL_M, 2 * _LANDING_M + self.run, 2 * self.half_m + _HEADROOM_M


def staircase(seed: int, stations: int | None = 1) -> Scene:
    """A closed stairwell: 8 solid steps, a landing, 8 open treads 4 cm thick on stringers, and rails with balusters.

    Args:
        seed: random seed; equal seeds give equal stairs. Risers are 16.5 to 18.5 cm high, treads 26 to 29 cm deep.
        stations: sensor positions on each of the floor, the half landing and the upper landing; None: two or three.

    Raises:
        InputError: no free sensor position was found.
    """
    rng = np.random.default_rng([seed, 6])
    stairs = dimensions(seed)
    length, width, _ = stairs.size
    solids = [*shell.slabs(stairs.size), *_walls(rng, stairs), *_landings(stairs)]
    solids += [*_solid_flight(stairs), *_open_flight(stairs), *_rails(stairs)]
    position = (length - 0.4, width - 0.4, 0.0)
    solids += [moved(decor.ball(rng).mesh, position), moved(decor.crate(rng).mesh, (length - 0.6, width - 1.6, 0.0))]
    corners = ((0.0, 0.0, 0.0), (0.0, width - _LANDING_M, stairs.half_m), (0.0, 0.0, 2 * stairs.half_m))
    zones = [Zone(np.array(corner), length, _LANDING_M) for corner in corners]
    return scene_of("staircase", seed, rng, solids, zones, stations)


def dimensions(seed: int) -> Stairs:
    """The stairs of a seed; riser and going are whole millimetres."""
    rng = np.random.default_rng([seed, 7])
    return Stairs(round(float(rng.uniform(0.165, 0.185)), 3), round(float(rng.uniform(0.26, 0.29)), 3))


def _walls(rng: np.random.Generator, stairs: Stairs) -> list[TriangleMesh]:
    """Four walls: doors at y = 0 on both storeys, a window above the half landing, and a picture on each side wall."""
    size, solids = stairs.size, []
    for index in range(4):
        frame = wall_frame(index, size)
        middle, end = frame.length / 2, frame.length + OUTER_M
        if index == 2:
            solids += [frame.place(mesh, z=z) for z in (0.0, 2 * stairs.half_m) for mesh in _door(rng, middle)]
            solids.append(frame.place(_two_storeys(stairs, end, _doorway(middle))))
            continue
        holes = []
        if index == 0:
            half, sill = float(rng.uniform(0.5, 0.7)), stairs.half_m + 0.9
            holes.append(Opening(middle - half, middle + half, sill, sill + 1.2))
            solids.append(frame.place(shell.window(holes[0])))
        else:
            solids.append(frame.place(decor.picture(rng), middle, 0.0, 2 * stairs.half_m + 1.2))
        solids.append(frame.place(shell.wall(0, end, size[2], OUTER_M, holes)))
    return solids


def _doorway(middle: float) -> Opening:
    return Opening(middle - 0.43, middle + 0.43, 0.0, 2.03)


def _door(rng: np.random.Generator, middle: float) -> list[TriangleMesh]:
    """A closed door, set back by up to 8 cm."""
    hole = _doorway(middle)
    leaf = moved(shell.door_leaf(hole, 0.0), (0.0, 0.04 + float(rng.uniform(0.0, 0.08)), 0.0))
    return [leaf, shell.closed_back(hole), shell.casing(hole)]


def _two_storeys(stairs: Stairs, end: float, hole: Opening) -> TriangleMesh:
    """The wall with the doors: two walls on top of each other, each with the same opening."""
    low, total = 2 * stairs.half_m, stairs.size[2]
    upper = moved(shell.wall(0, end, total - low, OUTER_M, [hole]), (0.0, 0.0, low))
    return merged([shell.wall(0, end, low, OUTER_M, [hole]), upper])


def _landings(stairs: Stairs) -> list[TriangleMesh]:
    """The half landing at the far wall and the upper landing at the doors, both 20 cm thick."""
    length, width, _ = stairs.size
    half, top = stairs.half_m, 2 * stairs.half_m
    return [
        box((0.0, width - _LANDING_M, half - SLAB_M), (length, width, half)),
        box((0.0, 0.0, top - SLAB_M), (length, _LANDING_M, top)),
    ]


def _solid_flight(stairs: Stairs) -> list[TriangleMesh]:
    """The first flight, from the floor to the half landing: blocks on top of each other."""
    end = _LANDING_M + stairs.run
    solids = []
    for i in range(RISERS - 1):
        low, high = (0.0, _LANDING_M + i * stairs.going, i * stairs.riser), (_FLIGHT_M, end, (i + 1) * stairs.riser)
        solids.append(box(low, high))
    return solids


def _open_flight(stairs: Stairs) -> list[TriangleMesh]:
    """The second flight: treads between two stringers, each overlapping the one below by 2 cm."""
    length, start = stairs.size[0], _LANDING_M + stairs.run
    left, solids = length - _FLIGHT_M, []
    for i in range(1, RISERS):
        top, front = stairs.half_m + i * stairs.riser, start - (i - 1) * stairs.going
        solids.append(box((left + 0.04, front - stairs.going, top - TREAD_M), (length - 0.04, front + 0.02, top)))
    slope = float(np.degrees(np.arctan2(stairs.riser, stairs.going)))
    reach = float(np.hypot(stairs.run, RISERS * stairs.riser))
    board = moved(box((0.0, -reach, -0.12), (0.04, 0.0, 0.12)), matrix=rotation((1, 0, 0), -slope))
    return [*solids, *(moved(board, (x, start + 0.02, stairs.half_m + 0.05)) for x in (left, length - 0.04))]


def _rails(stairs: Stairs) -> list[TriangleMesh]:
    """Handrails 4 cm thick on balusters 2 cm thick along both flights, and a rail at the edge of the upper landing."""
    left, right = _FLIGHT_M - 0.04, stairs.size[0] - _FLIGHT_M + 0.06
    solids, end = [], _LANDING_M + stairs.run
    for i in range(RISERS - 1):
        y = _LANDING_M + (i + 0.5) * stairs.going
        first, second = (i + 1) * stairs.riser, stairs.half_m + (RISERS - 1 - i) * stairs.riser
        solids += [rod((x, y, z), (x, y, z + _RAIL_M), 0.01) for x, z in ((left, first), (right, second))]
    middle = (0.5 * stairs.going, (RISERS - 1.5) * stairs.going)
    near, far = (_LANDING_M + part for part in middle)
    low, high = stairs.riser + _RAIL_M, (RISERS - 1) * stairs.riser + _RAIL_M
    solids.append(rod((left, near, low), (left, far, high), 0.02))
    solids.append(rod((right, far, stairs.half_m + low), (right, near, stairs.half_m + high), 0.02))
    solids += [rod((x, end + 0.06, stairs.half_m), (x, end + 0.06, stairs.half_m + 1.0), 0.025) for x in (left, right)]
    top, edge = 2 * stairs.half_m, _LANDING_M - 0.05
    solids.append(rod((0.0, edge, top + 1.0), (right, edge, top + 1.0), 0.02))
    solids += [rod((x, edge, top), (x, edge, top + 1.0), 0.01) for x in np.arange(0.12, right, 0.12)]
    return solids
