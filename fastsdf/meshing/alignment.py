# SPDX-License-Identifier: MIT
"""Finds the rigid motion that moves a mesh's dominant floor to z = 0 and turns its walls along x and y."""

import numpy as np

from fastsdf.errors import MeshingError
from fastsdf.geometry import TriangleMesh

# All chosen by eye on scans of rooms, not swept.
MAX_TILT = np.radians(45.0)  # largest angle between the floor's normal and +z
CONES = tuple(np.radians((20.0, 10.0, 5.0, 2.5)))  # half angles of the cones that refine a direction, in turn
MAX_DEVIATION = np.radians(5.0)  # faces of floors and walls are level or upright to within this angle
CANDIDATES = 400  # faces tried as the floor's normal; bounds the time on large meshes
SLICE_M = 0.05  # m; height resolution of the search for the floor


def floor_alignment(mesh: TriangleMesh) -> np.ndarray:
    """Returns the rigid motion (4, 4) that aligns a mesh whose z axis points roughly up.

    The dominant floor is the height with the most upward-facing area; it becomes level at z = 0. The walls are turned
    along x and y by the smallest angle that does so. The centre of the mesh's bounding box keeps its x and y.

    Args:
        mesh: mesh in metres, with faces towards the air.

    Raises:
        MeshingError: no face points up to within 45 degrees.
    """
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    cross = np.cross(b - a, c - a)
    area = 0.5 * np.linalg.norm(cross, axis=1)
    proper = area > 0
    area, normals, middles = area[proper], cross[proper] / (2 * area[proper, None]), (a + b + c)[proper] / 3
    turn = _upright(_floor_normal(normals, area))
    turn = _about_z(-_wall_direction(normals @ turn.T, area)) @ turn
    centre = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    around = (middles - centre) @ turn.T
    up = (normals @ turn.T)[:, 2] > np.cos(MAX_DEVIATION)
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = [*centre[:2], -_main_height(around[up, 2], area[up])] - turn @ centre
    return matrix


def _floor_normal(normals: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Unit normal (3,) shared by the most upward-facing area: the best of some face normals, refined within cones."""
    up = normals[:, 2] > np.cos(MAX_TILT)
    if not up.any():
        raise MeshingError("no floor to align to: no face points up to within 45 degrees; z must point up in the scan")
    normals, area = normals[up], area[up]
    drawn = np.random.default_rng(0).choice(len(area), min(CANDIDATES, len(area)), p=area / area.sum())
    score = [(area * (normals @ normals[index] > np.cos(MAX_DEVIATION))).sum() for index in drawn]
    best = normals[drawn[int(np.argmax(score))]]
    for cone in CONES:
        near = normals @ best > np.cos(cone)
        if near.any():
            mean = (normals[near] * area[near, None]).sum(axis=0)
            best = mean / np.linalg.norm(mean)
    return best


def _upright(normal: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that turns a unit normal (3,) other than -z to +z (Rodrigues' formula)."""
    x, y, z = normal
    skew = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + z)


def _about_z(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _wall_direction(normals: np.ndarray, area: np.ndarray) -> float:
    """Angle in radians, -pi/4 to pi/4, of the walls' common direction modulo pi/2; 0 without upright faces."""
    walls = np.abs(normals[:, 2]) < np.sin(MAX_DEVIATION)
    if not walls.any():
        return 0.0
    angle, area = np.arctan2(normals[walls, 1], normals[walls, 0]), area[walls]
    bins = np.histogram(angle % (np.pi / 2), 90, (0, np.pi / 2), weights=area)[0]
    best = (np.argmax(bins + np.roll(bins, 1) + np.roll(bins, -1)) + 0.5) * np.pi / 180
    for cone in CONES:
        off = (angle - best + np.pi / 4) % (np.pi / 2) - np.pi / 4
        near = np.abs(off) < cone
        best += np.average(off[near], weights=area[near]) if near.any() else 0.0
    return float((best + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def _main_height(heights: np.ndarray, area: np.ndarray) -> float:
    """Height of the floor: the area-weighted median of the heights in the 10 cm slice with the most area."""
    lowest = heights.min()
    index = ((heights - lowest) / SLICE_M).astype(np.int64)
    slices = np.bincount(index, weights=area, minlength=2)
    start = int(np.argmax(slices[:-1] + slices[1:]))
    chosen = (index == start) | (index == start + 1)
    heights, area = heights[chosen], area[chosen]
    order = np.argsort(heights)
    share = np.cumsum(area[order])
    return float(heights[order][np.searchsorted(share, share[-1] / 2)])
