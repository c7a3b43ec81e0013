# SPDX-License-Identifier: MIT
"""Furnished rooms and apartments of closed solids, with sensor positions."""

from collections.abc import Sequence

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic import decor, shell
from fastsdf.synthetic.layout import Patch, furnish, keep_clear
from fastsdf.synthetic.scene import Scene, scene_of
from fastsdf.synthetic.shell import OUTER_M, Opening, wall_frame
from fastsdf.synthetic.solids import box, moved
from fastsdf.synthetic.stations import Zone

INNER_M = 0.1  # thickness of inner walls; chosen, as in real buildings
_DOOR_M = (0.86, 2.03)  # width and height; a common size


def furnished_room(seed: int, size: Sequence[float] = (4.2, 3.6, 2.6), stations: int = 4) -> Scene:
    """A closed room with a window, a door ajar and about 15 to 20 pieces of furniture.

    Args:
        seed: random seed; equal seeds give equal rooms.
        size: inner (length, width, height) in metres, at least (3, 3, 2.3).
        stations: number of sensor positions.

    Raises:
        InputError: the size is too small, or no free sensor position was found.
    """
    if min(size[0], size[1]) < 3.0 or size[2] < 2.3:
        raise InputError(f"room size {tuple(size)} is too small; give at least (3, 3, 2.3) metres")
    rng = np.random.default_rng([seed, 1])
    solids = shell.slabs(size)
    clear: list[Patch] = []
    door_wall, window_wall = (int(i) for i in rng.permutation(4)[:2])
    for index in range(4):
        door = _door(rng, index, size, clear, solids) if index == door_wall else None
        holes = [door] if door else []
        if index == window_wall:
            holes.append(_window(rng, index, size, clear, solids))
        frame = wall_frame(index, size)
        solids.append(frame.place(shell.wall(0, frame.length + OUTER_M, size[2], OUTER_M, holes)))
        solids.append(frame.place(shell.baseboard(frame.length, holes)))
        if not holes:
            solids += _wall_decor(rng, index, size)
    solids += furnish(rng, size, clear, int(rng.integers(2)))
    solids.append(
        moved(decor.pendant(rng), (size[0] * rng.uniform(0.4, 0.6), size[1] * rng.uniform(0.4, 0.6), size[2]))
    )
    return scene_of("room", seed, rng, solids, [Zone(np.zeros(3), size[0], size[1])], stations)


def apartment(seed: int, columns: int = 3, rows: int = 2, stations: int | None = None) -> Scene:
    """An apartment of ``columns`` x ``rows`` furnished rooms, separated by walls 10 cm thick with open doorways.

    Every inner wall is scanned from both sides.

    Args:
        seed: random seed; equal seeds give equal apartments.
        columns: number of rooms along x.
        rows: number of rooms along y.
        stations: sensor positions per room; None: two or three.

    Raises:
        InputError: no free sensor position was found in some room.
    """
    rng = np.random.default_rng([seed, 2])
    lengths, widths, height = rng.uniform(3.4, 4.6, columns), rng.uniform(3.2, 4.0, rows), 2.6
    starts_x = np.concatenate([[0.0], np.cumsum(lengths + INNER_M)[:-1]])
    starts_y = np.concatenate([[0.0], np.cumsum(widths + INNER_M)[:-1]])
    total = (starts_x[-1] + lengths[-1], starts_y[-1] + widths[-1], height)
    solids = shell.slabs(total)
    zones = []
    for i in range(columns):
        for j in range(rows):
            size, offset = (lengths[i], widths[j], height), np.array([starts_x[i], starts_y[j], 0.0])
            walled = (j < rows - 1, i > 0, j > 0, i < columns - 1)
            solids += [moved(m, offset) for m in _flat_room(rng, size, walled, i + j)]
            zones.append(Zone(offset, lengths[i], widths[j]))
    solids += _posts(lengths, widths, starts_x, starts_y, height)
    return scene_of("apartment", seed, rng, solids, zones, stations)


def _door(
    rng: np.random.Generator, index: int, size: Sequence[float], clear: list[Patch], solids: list[TriangleMesh]
) -> Opening:
    """Add a door ajar to ``solids`` and its swing to ``clear``; returns the opening."""
    frame = wall_frame(index, size)
    left = (
        float(rng.uniform(0.15, 0.4))
        if rng.random() < 0.5
        else frame.length - _DOOR_M[0] - float(rng.uniform(0.15, 0.4))
    )
    hole = Opening(left, left + _DOOR_M[0], 0.0, _DOOR_M[1])
    leaf = shell.door_leaf(hole, float(rng.uniform(35, 85)))
    solids += [frame.place(m) for m in (leaf, shell.closed_back(hole), shell.casing(hole))]
    clear.append(keep_clear(index, size, hole))
    return hole


def _window(
    rng: np.random.Generator, index: int, size: Sequence[float], clear: list[Patch], solids: list[TriangleMesh]
) -> Opening:
    """Add a window with a radiator below to ``solids``, and the radiator's floor to ``clear``; returns the opening."""
    frame = wall_frame(index, size)
    width = float(rng.uniform(1.1, 1.5))
    left = (frame.length - width) * float(rng.uniform(0.35, 0.65))
    hole = Opening(left, left + width, float(rng.uniform(0.85, 0.95)), size[2] - float(rng.uniform(0.3, 0.45)))
    solids += [frame.place(shell.window(hole)), frame.place(decor.radiator(0.7 * width), left + width / 2)]
    clear.append(keep_clear(index, size, hole, 0.2))
    return hole


def _wall_decor(rng: np.random.Generator, index: int, size: Sequence[float]) -> list[TriangleMesh]:
    """A picture and, with a probability of one half, a round mirror beside it."""
    frame = wall_frame(index, size)
    solids = [frame.place(decor.picture(rng), frame.length * float(rng.uniform(0.25, 0.4)), 0.0, 1.65)]
    if rng.random() < 0.5:
        solids.append(frame.place(decor.round_mirror(rng), frame.length * float(rng.uniform(0.65, 0.8)), 0.0, 1.6))
    return solids


def _flat_room(rng: np.random.Generator, size: Sequence[float], inner: Sequence[bool], kind: int) -> list[TriangleMesh]:
    """One room of an apartment in its own frame, with its outer walls and the inner walls at +x and +y."""
    solids: list[TriangleMesh] = []
    clear: list[Patch] = []
    for index in range(4):
        frame = wall_frame(index, size)
        middle = frame.length / 2
        if inner[index]:
            holes = [Opening(middle - _DOOR_M[0] / 2, middle + _DOOR_M[0] / 2, 0.0, _DOOR_M[1])]
            clear.append(keep_clear(index, size, holes[0], 0.7))
            solids.append(frame.place(shell.casing(holes[0])))
            if index in (0, 3):
                solids.append(frame.place(shell.wall(0, frame.length, size[2], INNER_M, holes)))
        else:
            holes = [_window(rng, index, size, clear, solids)] if rng.random() < 0.5 else []
            solids.append(frame.place(shell.wall(-OUTER_M, frame.length + OUTER_M, size[2], OUTER_M, holes)))
            if not holes:
                solids += _wall_decor(rng, index, size)
        solids.append(frame.place(shell.baseboard(frame.length, holes)))
    solids += furnish(rng, size, clear, kind)
    return [*solids, moved(decor.pendant(rng), (size[0] / 2, size[1] / 2, size[2]))]


def _posts(
    lengths: np.ndarray, widths: np.ndarray, xs: np.ndarray, ys: np.ndarray, height: float
) -> list[TriangleMesh]:
    """The posts at which inner walls cross."""
    corners = [
        (x + a, y + b) for x, a in zip(xs[:-1], lengths, strict=False) for y, b in zip(ys[:-1], widths, strict=False)
    ]
    return [box((x, y, 0), (x + INNER_M, y + INNER_M, height)) for x, y in corners]
