# SPDX-License-Identifier: MIT
"""Chooses cameras for a scene: one above it, and two in the air that see as much surface as possible."""

import math
from collections.abc import Callable

import numpy as np

from fastsdf.errors import MeshingError
from fastsdf.geometry import TriangleMesh
from fastsdf.rendering.camera import Camera, fit_to_view, look_along

# Pictures are taken after the scan was turned upright.
UP = np.array([0.0, 0.0, 1.0])
EYE_LEVEL = (0.45, 0.75)  # of the height of the box; chosen: about eye level in a room
LATTICE = 24  # candidate positions per horizontal axis; chosen, not swept
CLEAR_SHARE = 0.45  # of the largest clearance found, required of a camera position; chosen by eye
CANDIDATES = 12  # camera positions whose views are compared; bounds the time, not swept
SEPARATION_SHARE = 0.4  # of the box's diagonal; cameras closer than this are rated lower; chosen by eye
CELL_PIXELS = 10  # edge of a cell of the coarse picture, pixels; chosen, not swept
MAX_VERTICES = 200_000  # used to rate a view; bounds the time, not swept
DIRECTIONS = 48  # horizontal directions compared at a camera position; chosen, not swept
FOV = math.radians(85)  # horizontal field of view inside; chosen by eye
OVERHEAD_FOV = math.radians(35)  # horizontal field of view from above; chosen by eye
TILT = math.radians(22)  # of the camera above from the vertical; chosen by eye
DOWN_SLOPE = 0.12  # by which cameras inside look downwards; chosen by eye
TRACE_STEPS = 48  # steps of sphere tracing; chosen, not swept

Field = Callable[[np.ndarray], np.ndarray]


def overhead_camera(lower: np.ndarray, upper: np.ndarray, fov: float = OVERHEAD_FOV) -> Camera:
    """A slightly tilted camera above a box that sees all of it, with the box's longer side horizontal in the picture.

    Args:
        lower, upper: (3,) corners of the box, z up.
        fov: horizontal field of view, radians.
    """
    ahead = np.array([0.0, 1.0, 0.0]) if upper[0] - lower[0] >= upper[1] - lower[1] else np.array([-1.0, 0.0, 0.0])
    forward = math.sin(TILT) * ahead - math.cos(TILT) * UP
    corners = np.stack(np.meshgrid(*np.stack([lower, upper], 1), indexing="ij"), -1).reshape(-1, 3)
    return fit_to_view(corners, look_along(lower, forward, ahead, fov))


def cameras_in_air(
    field: Field, lower: np.ndarray, upper: np.ndarray, mesh: TriangleMesh, target: np.ndarray | None = None
) -> list[Camera]:
    """Choose two cameras in the air at about eye level that see many front faces of a mesh and lie apart.

    Args:
        field: signed distances (n,) at points (n, 3), positive in the air.
        lower, upper: (3,) corners of the box for the camera positions, z up.
        mesh: the mesh to look at, z up.
        target: (3,) point that the cameras look at; None: each looks in the direction with the longest free distances.

    Raises:
        MeshingError: no point of the box at eye level is in the air.
    """
    diagonal = float(np.linalg.norm(upper - lower))
    eyes = candidate_eyes(field, lower, upper)
    directions = [_widest_view(field, eye, diagonal) if target is None else target - eye for eye in eyes]
    cameras = [look_along(eye, direction, UP, FOV) for eye, direction in zip(eyes, directions, strict=True)]
    seen = np.array([front_share(mesh, camera) for camera in cameras])
    first = int(seen.argmax())
    separation = np.linalg.norm(eyes - eyes[first], axis=1)
    second = int((seen * np.minimum(separation / (SEPARATION_SHARE * diagonal), 1.0)).argmax())
    return [cameras[first], cameras[second]]


def candidate_eyes(field: Field, lower: np.ndarray, upper: np.ndarray, count: int = CANDIDATES) -> np.ndarray:
    """Choose camera positions at eye level that are far from surfaces and far from each other.

    The first position is the one farthest from the mean of all free ones, each following one the farthest from those
    already chosen (farthest point sampling).

    Args:
        field: signed distances (n,) at points (n, 3), positive in the air.
        lower, upper: (3,) corners of the box for the positions, z up.
        count: number of positions.

    Returns:
        (count, 3).

    Raises:
        MeshingError: no point of the box at eye level is in the air.
    """
    lowest, highest = (lower[2] + share * (upper[2] - lower[2]) for share in EYE_LEVEL)
    floor = (np.linspace(lower[i], upper[i], LATTICE + 2)[1:-1] for i in (0, 1))
    axes = (*floor, np.linspace(lowest, highest, 3))
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    clearance = field(positions)
    if not clearance.max() > 0:
        raise MeshingError("no air inside the scan's box at eye level; the field has not learned where the air is")
    free = positions[clearance >= CLEAR_SHARE * clearance.max()]
    separation = np.linalg.norm(free - free.mean(0), axis=1)
    chosen = []
    for _ in range(count):
        chosen.append(free[separation.argmax()])
        to_last = np.linalg.norm(free - chosen[-1], axis=1)
        separation = to_last if len(chosen) == 1 else np.minimum(separation, to_last)
    return np.stack(chosen)


def front_share(mesh: TriangleMesh, camera: Camera) -> float:
    """Share of the cells of a coarse picture whose nearest vertex faces the camera.

    For a mesh without normals every vertex counts as facing the camera.
    """
    some = slice(None, None, 1 + len(mesh.vertices) // MAX_VERTICES)
    points = camera.to_camera(mesh.vertices[some])
    ahead = points[:, 2] > 0
    points = points[ahead]
    cell = np.floor(camera.to_screen(points) / CELL_PIXELS).astype(np.int64)
    columns, rows = camera.width // CELL_PIXELS, camera.height // CELL_PIXELS
    shown = ((cell >= 0) & (cell < [columns, rows])).all(1)
    number, inverse_depth = cell[shown, 1] * columns + cell[shown, 0], 1 / points[shown, 2]
    front = np.ones(len(number), dtype=bool)
    if mesh.normals is not None:
        normals = mesh.normals[some][ahead][shown] @ camera.axes.T
        front = (normals * points[shown]).sum(1) < 0
    nearest = np.zeros(rows * columns)
    np.maximum.at(nearest, number, inverse_depth)
    return len(np.unique(number[front & (inverse_depth == nearest[number])])) / len(nearest)


def free_distances(field: Field, eye: np.ndarray, rays: np.ndarray, limit: float) -> np.ndarray:
    """Distances (n,) from a position ``eye`` (3,) to the surface along unit rays (n, 3), by sphere tracing.

    They end at ``limit``.
    """
    distance = np.zeros(len(rays))
    for _ in range(TRACE_STEPS):
        distance = np.minimum(distance + np.maximum(field(eye + distance[:, None] * rays), 0.0), limit)
    return distance


def _widest_view(field: Field, eye: np.ndarray, limit: float) -> np.ndarray:
    """(3,) the slightly downward direction with the largest mean free distance over the field of view."""
    angles = 2 * math.pi * np.arange(DIRECTIONS) / DIRECTIONS
    horizontal = np.stack([np.cos(angles), np.sin(angles), np.zeros(DIRECTIONS)], 1)
    distances = free_distances(field, eye, horizontal, limit)
    difference = np.abs((angles[:, None] - angles + math.pi) % (2 * math.pi) - math.pi)
    views = np.where(difference <= FOV / 2, distances, 0.0).sum(1)
    return horizontal[views.argmax()] - DOWN_SLOPE * UP
