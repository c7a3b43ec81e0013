# SPDX-License-Identifier: MIT
"""Furnished rooms and flats of closed solids, with free places for a scanner."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastsdf.errors import InputError
from fastsdf.scan import TriangleMesh
from fastsdf.synthetic import decor, shell
from fastsdf.synthetic.layout import Patch, furnish
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.scanner import even_directions
from fastsdf.synthetic.shell import OUTER_M, Opening, wall_frame
from fastsdf.synthetic.solids import box, face_cross, merged, moved

INNER_M = 0.1
THIN_M = 0.06
_CLEARANCE_M = 0.3
_DOOR_M = (0.86, 2.03)


@dataclass(frozen=True)
class Scene:
    """Exact ground truth and where it is scanned from.

    Attributes:
        name: "room" or "apartment".
        seed: the seed that made it.
        mesh: soup of closed solids in metres, z up; normals point into the air. Solids may touch and overlap a little.
        stations: (k, 3) sensor positions in free air, at least 0.3 m from every surface.
        thin: (f,) bool, True on faces of solids thinner than 6 cm there.
    """

    name: str
    seed: int
    mesh: TriangleMesh
    stations: np.ndarray
    thin: np.ndarray


def furnished_room(seed: int, size: Sequence[float] = (4.2, 3.6, 2.6), stations: int = 4) -> Scene:
    """A closed room with a window, a door ajar and some 15-20 pieces of furniture.

    Args:
        seed: equal seeds make equal rooms.
        size: inner (length, width, height) in metres, at least (3, 3, 2.3).
        stations: how many sensor positions to choose.

    Raises:
        InputError: the size is too small, or no free sensor position was found.
    """
    if min(size[0], size[1]) < 3.0 or size[2] < 2.3:
        raise InputError(f"room size {tuple(size)} is too small; give at least (3, 3, 2.3) metres")
    rng = np.random.default_rng([seed, 1])
    solids = _slabs(size)
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
    mesh = merged(solids)
    rays = RayScene(mesh)
    places = _stations(rng, rays, np.zeros(3), size, stations)
    return Scene("room", seed, mesh, places, _thin_faces(mesh, rays))


def apartment(seed: int, columns: int = 3, rows: int = 2) -> Scene:
    """A flat of ``columns`` x ``rows`` furnished rooms that share inner walls 10 cm thick with open doorways.

    Every inner wall is seen from both sides. Two or three stations stand in each room.

    Raises:
        InputError: no free sensor position was found in some room.
    """
    rng = np.random.default_rng([seed, 2])
    lengths, widths, height = rng.uniform(3.4, 4.6, columns), rng.uniform(3.2, 4.0, rows), 2.6
    starts_x = np.concatenate([[0.0], np.cumsum(lengths + INNER_M)[:-1]])
    starts_y = np.concatenate([[0.0], np.cumsum(widths + INNER_M)[:-1]])
    total = (starts_x[-1] + lengths[-1], starts_y[-1] + widths[-1], height)
    solids = _slabs(total)
    offsets, sizes = [], []
    for i in range(columns):
        for j in range(rows):
            size, offset = (lengths[i], widths[j], height), np.array([starts_x[i], starts_y[j], 0.0])
            walled = (j < rows - 1, i > 0, j > 0, i < columns - 1)
            solids += [moved(m, offset) for m in _flat_room(rng, size, walled, i + j)]
            offsets.append(offset)
            sizes.append(size)
    solids += _posts(lengths, widths, starts_x, starts_y, height)
    mesh = merged(solids)
    rays = RayScene(mesh)
    places = [_stations(rng, rays, o, s, 2 + int(rng.integers(2))) for o, s in zip(offsets, sizes, strict=True)]
    return Scene("apartment", seed, mesh, np.concatenate(places), _thin_faces(mesh, rays))


def _slabs(size: Sequence[float]) -> list[TriangleMesh]:
    """Floor and ceiling of a room [0, size], reaching under and over its outer walls."""
    t = OUTER_M
    bounds = ((-t, 0.0), (size[2], size[2] + t))
    return [box((-t, -t, low), (size[0] + t, size[1] + t, high)) for low, high in bounds]


def _door(
    rng: np.random.Generator, index: int, size: Sequence[float], clear: list[Patch], solids: list[TriangleMesh]
) -> Opening:
    """Adds a door ajar to ``solids`` and its swing to ``clear``; returns its opening."""
    frame = wall_frame(index, size)
    left = (
        float(rng.uniform(0.15, 0.4))
        if rng.random() < 0.5
        else frame.length - _DOOR_M[0] - float(rng.uniform(0.15, 0.4))
    )
    hole = Opening(left, left + _DOOR_M[0], 0.0, _DOOR_M[1])
    leaf = shell.door_leaf(hole, float(rng.uniform(35, 85)))
    solids += [frame.place(m) for m in (leaf, shell.closed_back(hole), shell.casing(hole))]
    clear.append(_keep_clear(index, size, hole))
    return hole


def _keep_clear(index: int, size: Sequence[float], hole: Opening, depth: float = 0.95) -> Patch:
    frame = wall_frame(index, size)
    x, y, _ = frame.turn @ np.array([(hole.left + hole.right) / 2, -depth / 2, 0.0]) + frame.origin
    return Patch(x, y, 90.0 * index, hole.right - hole.left + 0.1, depth)


def _window(
    rng: np.random.Generator, index: int, size: Sequence[float], clear: list[Patch], solids: list[TriangleMesh]
) -> Opening:
    """Adds a window with a radiator below to ``solids``, the radiator's floor to ``clear``; returns the opening."""
    frame = wall_frame(index, size)
    width = float(rng.uniform(1.1, 1.5))
    left = (frame.length - width) * float(rng.uniform(0.35, 0.65))
    hole = Opening(left, left + width, float(rng.uniform(0.85, 0.95)), size[2] - float(rng.uniform(0.3, 0.45)))
    solids += [frame.place(shell.window(hole)), frame.place(decor.radiator(0.7 * width), left + width / 2)]
    clear.append(_keep_clear(index, size, hole, 0.2))
    return hole


def _wall_decor(rng: np.random.Generator, index: int, size: Sequence[float]) -> list[TriangleMesh]:
    """A picture and, on every other wall, a round mirror beside it."""
    frame = wall_frame(index, size)
    solids = [frame.place(decor.picture(rng), frame.length * float(rng.uniform(0.25, 0.4)), 0.0, 1.65)]
    if rng.random() < 0.5:
        solids.append(frame.place(decor.round_mirror(rng), frame.length * float(rng.uniform(0.65, 0.8)), 0.0, 1.6))
    return solids


def _flat_room(rng: np.random.Generator, size: Sequence[float], inner: Sequence[bool], kind: int) -> list[TriangleMesh]:
    """One room of a flat in its own frame; it builds its outer walls and the inner ones at +x and +y."""
    solids: list[TriangleMesh] = []
    clear: list[Patch] = []
    for index in range(4):
        frame = wall_frame(index, size)
        middle = frame.length / 2
        if inner[index]:
            holes = [Opening(middle - _DOOR_M[0] / 2, middle + _DOOR_M[0] / 2, 0.0, _DOOR_M[1])]
            clear.append(_keep_clear(index, size, holes[0], 0.7))
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
    """The posts where inner walls cross."""
    corners = [
        (x + a, y + b) for x, a in zip(xs[:-1], lengths, strict=False) for y, b in zip(ys[:-1], widths, strict=False)
    ]
    return [box((x, y, 0), (x + INNER_M, y + INNER_M, height)) for x, y in corners]


def _stations(
    rng: np.random.Generator, rays: RayScene, offset: np.ndarray, size: Sequence[float], count: int
) -> np.ndarray:
    """``count`` places (count, 3) in free air, far apart: each next one is the candidate farthest from those chosen."""
    low, high = np.array([0.5, 0.5, 1.25]), np.array([size[0] - 0.5, size[1] - 0.5, 1.75])
    candidates = rng.uniform(low, high, (400, 3)) + offset
    candidates = candidates[rays.distance(candidates) > _CLEARANCE_M]
    free = [p for p in candidates if _in_air(rays, p)]
    if len(free) < count:
        raise InputError(
            f"found {len(free)} free sensor positions, needed {count}: the room is too full; try another seed"
        )
    pool, chosen = np.round(np.stack(free), 3), [0]
    for _ in range(count - 1):
        gaps = np.linalg.norm(pool[:, None, :2] - pool[chosen][None, :, :2], axis=-1).min(axis=1)
        chosen.append(int(gaps.argmax()))
    return pool[chosen]


def _in_air(rays: RayScene, place: np.ndarray) -> bool:
    """True if every ray from ``place`` meets the front of a face first."""
    directions = even_directions(6.0)[0]
    hits = rays.cast(place, directions)
    return bool(((hits.normal * directions).sum(axis=1) < 0).all())


def _thin_faces(mesh: TriangleMesh, rays: RayScene) -> np.ndarray:
    """(f,) True where a ray into the solid from the face's middle leaves it within 6 cm."""
    cross = face_cross(mesh)
    normals = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)
    middles = mesh.vertices[mesh.faces].mean(axis=1)
    return rays.cast(middles - 1e-4 * normals, -normals).range_m < THIN_M
