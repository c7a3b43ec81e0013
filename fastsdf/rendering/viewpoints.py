# SPDX-License-Identifier: MIT
"""Where to look at a scene from: above it, and places inside that are far from every surface."""

import math
from collections.abc import Callable

import numpy as np

from fastsdf.errors import MeshingError
from fastsdf.geometry import TriangleMesh
from fastsdf.rendering.camera import Camera, framing, look_along

UP = np.array([0.0, 0.0, 1.0])
EYE_LEVEL = (0.45, 0.75)
LATTICE = 24
CLEAR_SHARE = 0.45
CHOICE = 12
APART_SHARE = 0.4
CELL_PIXELS = 10
MOST_VERTICES = 200_000
DIRECTIONS = 48
FOV = math.radians(85)
OVERHEAD_FOV = math.radians(35)
TILT = math.radians(22)
DOWN_SLOPE = 0.12
TRACE_STEPS = 48

Field = Callable[[np.ndarray], np.ndarray]


def overhead_camera(lower: np.ndarray, upper: np.ndarray, fov: float = OVERHEAD_FOV) -> Camera:
    """A camera above a box (corners (3,), z up) that sees all of it, tilted a little; the long side lies across.

    ``fov`` is its horizontal field of view, radians.
    """
    ahead = np.array([0.0, 1.0, 0.0]) if upper[0] - lower[0] >= upper[1] - lower[1] else np.array([-1.0, 0.0, 0.0])
    forward = math.sin(TILT) * ahead - math.cos(TILT) * UP
    choice = np.stack(np.meshgrid(*np.stack([lower, upper], 1), indexing="ij"), -1).reshape(-1, 3)
    return framing(choice, look_along(lower, forward, ahead, fov))


def cameras_in_air(
    field: Field, lower: np.ndarray, upper: np.ndarray, mesh: TriangleMesh, target: np.ndarray | None = None
) -> list[Camera]:
    """Two cameras in the air, at about eye level, that see much of the fronts of a mesh and stand apart.

    Args:
        field: signed distances (n,) of points (n, 3), positive in the air.
        lower, upper: (3,) corners of the box to stand in, z up.
        mesh: what is to be seen, z up.
        target: (3,) what they look at; None: each looks where one sees farthest on average.

    Raises:
        MeshingError: if no point of the box at eye level is in the air.
    """
    reach = float(np.linalg.norm(upper - lower))
    eyes = standpoints(field, lower, upper)
    ways = [_widest_view(field, eye, reach) if target is None else target - eye for eye in eyes]
    cameras = [look_along(eye, way, UP, FOV) for eye, way in zip(eyes, ways, strict=True)]
    seen = np.array([front_share(mesh, camera) for camera in cameras])
    first = int(seen.argmax())
    apart = np.linalg.norm(eyes - eyes[first], axis=1)
    second = int((seen * np.minimum(apart / (APART_SHARE * reach), 1.0)).argmax())
    return [cameras[first], cameras[second]]


def standpoints(field: Field, lower: np.ndarray, upper: np.ndarray, count: int = CHOICE) -> np.ndarray:
    """(count, 3) places at eye level, far from each other, with a good share of the largest distance to surface."""
    lowest, highest = (lower[2] + share * (upper[2] - lower[2]) for share in EYE_LEVEL)
    floor = (np.linspace(lower[i], upper[i], LATTICE + 2)[1:-1] for i in (0, 1))
    axes = (*floor, np.linspace(lowest, highest, 3))
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    clear = field(places)
    if not clear.max() > 0:
        raise MeshingError("no air inside the scan's box at eye level; the field has not learned where the air is")
    free = places[clear >= CLEAR_SHARE * clear.max()]
    apart = np.linalg.norm(free - free.mean(0), axis=1)
    chosen = []
    for _ in range(count):
        chosen.append(free[apart.argmax()])
        to_last = np.linalg.norm(free - chosen[-1], axis=1)
        apart = to_last if len(chosen) == 1 else np.minimum(apart, to_last)
    return np.stack(chosen)


def front_share(mesh: TriangleMesh, camera: Camera) -> float:
    """Share of a coarse picture's cells in which the nearest vertex faces the eye (any, for a mesh without normals)."""
    some = slice(None, None, 1 + len(mesh.vertices) // MOST_VERTICES)
    points = camera.to_camera(mesh.vertices[some])
    ahead = points[:, 2] > 0
    points = points[ahead]
    cell = np.floor(camera.to_screen(points) / CELL_PIXELS).astype(np.int64)
    columns, rows = camera.width // CELL_PIXELS, camera.height // CELL_PIXELS
    shown = ((cell >= 0) & (cell < [columns, rows])).all(1)
    number, closeness = cell[shown, 1] * columns + cell[shown, 0], 1 / points[shown, 2]
    front = np.ones(len(number), dtype=bool)
    if mesh.normals is not None:
        normals = mesh.normals[some][ahead][shown] @ camera.axes.T
        front = (normals * points[shown]).sum(1) < 0
    nearest = np.zeros(rows * columns)
    np.maximum.at(nearest, number, closeness)
    return len(np.unique(number[front & (closeness == nearest[number])])) / len(nearest)


def free_ways(field: Field, eye: np.ndarray, rays: np.ndarray, reach: float) -> np.ndarray:
    """(n,) how far one sees from a place along unit rays (n, 3), by sphere tracing; at most ``reach``."""
    way = np.zeros(len(rays))
    for _ in range(TRACE_STEPS):
        way = np.minimum(way + np.maximum(field(eye + way[:, None] * rays), 0.0), reach)
    return way


def _widest_view(field: Field, eye: np.ndarray, reach: float) -> np.ndarray:
    """(3,) direction, a little downwards, in whose field of view one sees farthest on average."""
    angles = 2 * math.pi * np.arange(DIRECTIONS) / DIRECTIONS
    around = np.stack([np.cos(angles), np.sin(angles), np.zeros(DIRECTIONS)], 1)
    ways = free_ways(field, eye, around, reach)
    apart = np.abs((angles[:, None] - angles + math.pi) % (2 * math.pi) - math.pi)
    views = np.where(apart <= FOV / 2, ways, 0.0).sum(1)
    return around[views.argmax()] - DOWN_SLOPE * UP
