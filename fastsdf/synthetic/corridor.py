# SPDX-License-Identifier: MIT
"""A long corridor with doors, niches and windows, beams and a pipe below the ceiling, and furniture along the walls."""

from collections.abc import Callable

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic import decor, furniture, shell
from fastsdf.synthetic.layout import Floor, Patch, keep_clear
from fastsdf.synthetic.scene import Scene, scene_of
from fastsdf.synthetic.shell import OUTER_M, Frame, Opening, wall_frame
from fastsdf.synthetic.solids import box, cylinder, moved, rod
from fastsdf.synthetic.stations import Zone

# Dimensions, chosen to look like those of real buildings.
WIDTH_M = 2.0
HEIGHT_M = 2.6
NICHE_M = 0.25  # depth of a niche
_SLOT_M = 3.0  # length of wall per door, niche, window or picture
_ZONE_M = 6.0  # length of corridor per group of sensor positions
_DOOR_M = (0.86, 2.03)  # width and height
_PIPE_M = (0.25, 2.35, 0.02)  # distance from the wall, height and radius

_Slot = tuple[list[Opening], list[TriangleMesh]]


def corridor(seed: int, length: float = 30.0, stations: int | None = 1) -> Scene:
    """A straight corridor, 2 m wide and 2.6 m high, with a closed door at each end.

    Every 3 m of a long wall hold one of: a closed door, a door ajar, a niche 25 cm deep with or without a shelf, a
    window, a picture, or nothing.

    Args:
        seed: random seed; equal seeds give equal corridors.
        length: inner length in metres, at least 6.
        stations: sensor positions per 6 m; None: two or three.

    Raises:
        InputError: the corridor is too short, or no free sensor position was found.
    """
    if length < 6.0:
        raise InputError(f"a corridor of {length:g} m is too short; give at least 6 m")
    rng = np.random.default_rng([seed, 5])
    size = (length, WIDTH_M, HEIGHT_M)
    solids, clear = shell.slabs(size), []
    for index in range(4):
        frame = wall_frame(index, size)
        holes, fittings = _fitted_wall(rng, frame)
        solids.append(frame.place(shell.wall(0, frame.length + OUTER_M, HEIGHT_M, OUTER_M, holes)))
        solids.append(frame.place(shell.baseboard(frame.length, holes)))
        solids += fittings
        clear += [keep_clear(index, size, hole) for hole in holes if hole.bottom == 0.0]
    solids += [*_ceiling(length), *_furniture(rng, size, clear)]
    count = max(round(length / _ZONE_M), 1)
    zones = [Zone(np.array([i * length / count, 0.0, 0.0]), length / count, WIDTH_M) for i in range(count)]
    return scene_of("corridor", seed, rng, solids, zones, stations)


def _fitted_wall(rng: np.random.Generator, frame: Frame) -> _Slot:
    """Openings of a wall, and the meshes in and around them in the corridor's frame; each end wall has one door."""
    if frame.length < 2 * _SLOT_M:
        kinds: list[_Kind] = [_shut_door]
    else:
        count = int(frame.length // _SLOT_M)
        kinds = [_KINDS[i % len(_KINDS)] for i in range(count)]
        kinds = [kinds[i] for i in rng.permutation(count)]
    step = frame.length / len(kinds)
    slots = [kind(rng, (i + 0.5) * step + float(rng.uniform(-0.3, 0.3))) for i, kind in enumerate(kinds)]
    fittings = [frame.place(mesh) for _, meshes in slots for mesh in meshes]
    return [hole for holes, _ in slots for hole in holes], fittings


def _doorway(middle: float) -> Opening:
    return Opening(middle - _DOOR_M[0] / 2, middle + _DOOR_M[0] / 2, 0.0, _DOOR_M[1])


def _shut_door(rng: np.random.Generator, middle: float) -> _Slot:
    """A closed door, its leaf flush with the face of the wall or set back by up to 8 cm."""
    hole = _doorway(middle)
    leaf = moved(shell.door_leaf(hole, 0.0), (0.0, 0.04 + float(rng.uniform(0.0, 0.08)), 0.0))
    return [hole], [leaf, shell.closed_back(hole), shell.casing(hole)]


def _open_door(rng: np.random.Generator, middle: float) -> _Slot:
    """A door ajar in front of a closed recess."""
    hole = _doorway(middle)
    return [hole], [shell.door_leaf(hole, float(rng.uniform(35, 80))), shell.closed_back(hole), shell.casing(hole)]


def _niche(rng: np.random.Generator, middle: float, bottom: float, top: float) -> tuple[Opening, TriangleMesh]:
    """A recess, and the solids that enclose it."""
    half = float(rng.uniform(0.35, 0.6))
    hole = Opening(middle - half, middle + half, bottom, top)
    back = NICHE_M + 0.1
    return hole, _lined(hole, back)


def _lined(hole: Opening, back: float) -> TriangleMesh:
    """Back, sides, floor and top that enclose a niche where it reaches 5 cm beyond the wall."""
    left, right, low, high = hole
    t = 0.1
    floor = max(low - t, -OUTER_M)
    parts = [box((left - t, NICHE_M, floor), (right + t, back, high + t))]
    parts += [box((x, OUTER_M, floor), (x + t, NICHE_M, high + t)) for x in (left - t, right)]
    parts += [box((left, OUTER_M, z), (right, NICHE_M, z + t)) for z in (low - t, high)]
    return shell.merged(parts)


def _shelf_niche(rng: np.random.Generator, middle: float) -> _Slot:
    """A niche at chest height with a shelf 2 cm thick and a cylinder on it."""
    hole, closed = _niche(rng, middle, float(rng.uniform(0.8, 1.0)), float(rng.uniform(1.7, 1.9)))
    z = (hole.bottom + hole.top) / 2
    board = box((hole.left, 0.02, z), (hole.right, NICHE_M, z + 0.02))
    return [hole], [closed, board, moved(cylinder(0.05, 0.18), (middle, 0.12, z + 0.02))]


def _floor_niche(rng: np.random.Generator, middle: float) -> _Slot:
    """A niche that starts at the floor."""
    hole, closed = _niche(rng, middle, 0.0, float(rng.uniform(1.9, 2.1)))
    return [hole], [closed]


def _window(rng: np.random.Generator, middle: float) -> _Slot:
    """A window with a radiator below it."""
    half = float(rng.uniform(0.5, 0.65))
    hole = Opening(middle - half, middle + half, 0.95, 2.15)
    return [hole], [shell.window(hole), moved(decor.radiator(1.2 * half), (middle, 0.0, 0.0))]


def _picture(rng: np.random.Generator, middle: float) -> _Slot:
    """A framed picture."""
    return [], [moved(decor.picture(rng), (middle, 0.0, 1.6))]


def _bare(rng: np.random.Generator, middle: float) -> _Slot:
    """A bare piece of wall."""
    return [], []


_Kind = Callable[[np.random.Generator, float], _Slot]
# Things along the walls, each as often as the others.
_KINDS: tuple[_Kind, ...] = (_shut_door, _shelf_niche, _open_door, _floor_niche, _bare, _window, _picture)


def _ceiling(length: float) -> list[TriangleMesh]:
    """A beam every 6 m, flat lamps between the beams, and a pipe 4 cm thick on brackets along the wall y = 0."""
    solids = [box((x - 0.1, 0.0, HEIGHT_M - 0.18), (x + 0.1, WIDTH_M, HEIGHT_M)) for x in np.arange(6.0, length, 6.0)]
    for x in np.arange(3.0, length, 6.0):
        solids.append(box((x - 0.6, 0.9, HEIGHT_M - 0.05), (x + 0.6, 1.1, HEIGHT_M)))
    y, z, radius = _PIPE_M
    solids.append(rod((0.0, y, z), (length, y, z), radius))
    solids += [box((x - 0.015, 0.0, z - 0.006), (x + 0.015, y, z + 0.006)) for x in np.arange(1.5, length, 3.0)]
    return solids


def _furniture(rng: np.random.Generator, size: tuple[float, float, float], clear: list[Patch]) -> list[TriangleMesh]:
    """Furniture along the walls: one set per 15 m of corridor."""
    floor = Floor(size, clear)
    for build in (furniture.sideboard, furniture.chair, decor.plant, furniture.stool, decor.bin_basket, decor.crate):
        for _ in range(max(round(size[0] / 15.0), 1)):
            floor.put_at_wall(build(rng), rng)
    return floor.solids
