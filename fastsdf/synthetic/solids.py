# SPDX-License-Identifier: MIT
"""Watertight primitives with outward normals: boxes, rounded boxes, solids of revolution, rods and ribbons."""

from collections.abc import Sequence

import numpy as np

from fastsdf.geometry import TriangleMesh

Vector = Sequence[float] | np.ndarray


def rotation(axis: Vector, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3) about ``axis`` by ``degrees``, by Rodrigues' formula (right-handed)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def moved(mesh: TriangleMesh, offset: Vector = (0.0, 0.0, 0.0), matrix: np.ndarray | None = None) -> TriangleMesh:
    """The mesh rotated about the origin by ``matrix`` (3, 3), then shifted by ``offset`` (3,), metres."""
    vertices = mesh.vertices if matrix is None else mesh.vertices @ matrix.T
    return TriangleMesh(vertices + np.asarray(offset, float), mesh.faces)


def merged(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    """All meshes as one; their vertices and faces stay separate."""
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes])
    faces = [m.faces + start for m, start in zip(meshes, starts[:-1], strict=True)]
    return TriangleMesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces).astype(np.int64))


def face_cross(mesh: TriangleMesh) -> np.ndarray:
    """Cross products (f, 3) of two edges of each face: along its normal, with a length of twice its area."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def volume(mesh: TriangleMesh) -> float:
    """Signed volume of a closed mesh, m^3: positive if its normals point outwards."""
    return float((mesh.vertices[mesh.faces[:, 0]] * face_cross(mesh)).sum() / 6.0)


def box(low: Vector, high: Vector) -> TriangleMesh:
    """The axis-aligned box between the corners ``low`` and ``high`` (3,), metres."""
    corners = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], bool)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return TriangleMesh(np.where(corners, np.asarray(high, float), np.asarray(low, float)), faces)


def rounded_box(low: Vector, high: Vector, radius: float, segments: int = 4) -> TriangleMesh:
    """A box with rounded edges and corners; a large radius gives a cushion.

    Args:
        low: (3,) lower corner of the bounding box, metres.
        high: (3,) upper corner of the bounding box, metres.
        radius: rounding radius, metres, at most half the shortest side.
        segments: number of steps from a flat side to the middle of a rounded edge.
    """
    centre = (np.asarray(low, float) + np.asarray(high, float)) / 2.0
    half = (np.asarray(high, float) - np.asarray(low, float)) / 2.0
    core = half - radius
    arc = radius * np.tan(np.linspace(0.0, np.pi / 4.0, segments + 1))
    lines = [np.unique(np.concatenate([-(c + arc), c + arc])) for c in core]
    triangles = np.concatenate([_box_side(lines, half, axis, side) for axis in range(3) for side in (-1, 1)])
    inner = np.clip(triangles, -core, core)
    away = triangles - inner
    surface = inner + radius * away / np.linalg.norm(away, axis=-1, keepdims=True)
    mesh = _welded(surface)
    return TriangleMesh(mesh.vertices + centre, mesh.faces)


def _box_side(lines: list[np.ndarray], half: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Triangles (t, 3, 3) of one side of the box ``half``, cut along the grid ``lines``."""
    second, third = (axis + 1) % 3, (axis + 2) % 3
    grid = np.empty((len(lines[second]), len(lines[third]), 3))
    grid[..., axis] = side * half[axis]
    grid[..., second] = lines[second][:, None]
    grid[..., third] = lines[third][None, :]
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    corners = [(a, b, c), (a, c, d)] if side > 0 else [(a, c, b), (a, d, c)]
    return np.concatenate([np.stack(t, axis=2).reshape(-1, 3, 3) for t in corners])


def _welded(triangles: np.ndarray) -> TriangleMesh:
    """A mesh from triangles (t, 3, 3): corners equal to 1 nm become one vertex, and degenerate faces are dropped."""
    keys = np.round(triangles.reshape(-1, 3), 9) + 0.0
    vertices, inverse = np.unique(keys, axis=0, return_inverse=True)
    faces = inverse.reshape(-1, 3)
    distinct = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return TriangleMesh(vertices, faces[distinct].astype(np.int64))


def lathe(profile: Sequence[tuple[float, float]] | np.ndarray, segments: int = 24, loop: bool = False) -> TriangleMesh:
    """A solid of revolution around the z axis.

    Args:
        profile: (k, 2) radius and height, metres. An open profile runs from the axis (radius 0) at the bottom to the
            axis at the top; a loop runs counter-clockwise in the (radius, height) plane.
        segments: number of steps around the axis.
        loop: whether the profile is a closed loop, as for a ring or a lamp shade.
    """
    rings = np.asarray(profile, float)
    angles = np.arange(segments) * (2.0 * np.pi / segments)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = np.empty((len(rings), segments, 3))
    vertices[..., :2] = rings[:, None, :1] * circle
    vertices[..., 2] = rings[:, 1:]
    upper = (np.arange(len(rings)) + 1) % len(rings) if loop else np.arange(1, len(rings))
    a = vertices[: len(upper)]
    d = vertices[upper]
    b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
    return _welded(np.concatenate([np.stack(t, axis=2).reshape(-1, 3, 3) for t in ((a, b, c), (a, c, d))]))


def cylinder(radius: float, height: float, segments: int = 20, top_radius: float | None = None) -> TriangleMesh:
    """A cylinder or truncated cone around the z axis that stands on z = 0; metres."""
    top = radius if top_radius is None else top_radius
    return lathe([(0.0, 0.0), (radius, 0.0), (top, height), (0.0, height)], segments)


def sphere(radius: float, center: Vector = (0.0, 0.0, 0.0), segments: int = 32) -> TriangleMesh:
    """A UV sphere with vertices on the exact sphere; ``segments`` steps around, half of that from pole to pole."""
    angles = np.linspace(0.0, np.pi, segments // 2 + 1)
    profile = np.stack([radius * np.sin(angles), -radius * np.cos(angles)], axis=1)
    profile[[0, -1], 0] = 0.0
    return moved(lathe(profile, segments), center)


def torus(major: float, minor: float, segments: int = 32) -> TriangleMesh:
    """A torus around the z axis with radii ``major`` and ``minor`` (tube), metres."""
    angles = np.arange(segments // 2) * (4.0 * np.pi / segments)
    return lathe(np.stack([major + minor * np.cos(angles), minor * np.sin(angles)], axis=1), segments, loop=True)


def rod(start: Vector, end: Vector, radius: float, end_radius: float | None = None, segments: int = 14) -> TriangleMesh:
    """A round rod between two points (3,), tapering to ``end_radius`` at its end; metres."""
    axis = np.asarray(end, float) - np.asarray(start, float)
    length = float(np.linalg.norm(axis))
    normal = np.cross([0.0, 0.0, 1.0], axis)
    degrees = float(np.degrees(np.arctan2(np.linalg.norm(normal), axis[2])))
    matrix = rotation(normal if np.linalg.norm(normal) > 1e-12 else [1.0, 0.0, 0.0], degrees)
    return moved(cylinder(radius, length, segments, end_radius), start, matrix)


def ribbon(path: np.ndarray, sides: np.ndarray, widths: np.ndarray, thickness: float) -> TriangleMesh:
    """A thin closed strip along a curve, such as a leaf or a bent board.

    Args:
        path: (k, 3) centre line, metres.
        sides: (k, 3) unit vectors across the strip.
        widths: (k,) width at each point of the path, metres, above 0.
        thickness: metres.
    """
    normals = np.cross(np.gradient(path, axis=0), sides)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    across, up = sides * widths[:, None] / 2.0, normals * thickness / 2.0
    rings = np.stack([path + across + up, path - across + up, path - across - up, path + across - up], axis=1)
    a, d = rings[:-1], rings[1:]
    b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
    ends = [rings[0][[0, 2, 1]], rings[0][[0, 3, 2]], rings[-1][[0, 1, 2]], rings[-1][[0, 2, 3]]]
    shell = [np.stack(t, axis=2).reshape(-1, 3, 3) for t in ((a, b, c), (a, c, d))]
    mesh = _welded(np.concatenate([*shell, np.stack(ends)]))
    return mesh if volume(mesh) > 0 else TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])
