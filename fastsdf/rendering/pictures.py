# SPDX-License-Identifier: MIT
"""Renders pictures of a mesh without a display, lit from the camera."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.rendering.camera import Camera
from fastsdf.rendering.rasterise import Hits, rasterise

BACKGROUND_COLOR = np.array([0.93, 0.95, 0.97])  # displayed RGB, 0 to 1; chosen by eye
BACK_COLOR = np.array([0.72, 0.36, 0.30])  # linear RGB, 0 to 1, brick red; chosen by eye
SUPERSAMPLING = 2  # samples per pixel and axis; chosen: smooth edges at four times the time
GAMMA = 1.8  # exponent from displayed to linear colours; chosen by eye
CEILING_SHARE = 0.8  # of the height of the mesh; what lies above is cut away as ceiling; chosen by eye
NEAR_SHARE = 1e-3  # of the mesh's diagonal: distance of the near plane; chosen, not swept
AMBIENT = 0.3  # share of light that does not depend on the normal; chosen by eye
AMBIENT_OF_COLORS = 0.7  # the same for colours of the scan, which are lit already; chosen by eye

Paint = Callable[[np.ndarray], np.ndarray]


def draw(mesh: TriangleMesh, camera: Camera, paint: Paint | None = None) -> np.ndarray:
    """Render a mesh.

    Args:
        mesh: its vertex colours are used if it has any; otherwise colours follow the normals. Back faces (seen from
            inside a solid) are brick red.
        camera: the view; every pixel is the mean of 2 x 2 samples, or a single sample with ``paint``.
        paint: maps the visible surface points (n, 3) to linear colours (n, 3), for front and back faces alike.

    Returns:
        (height, width, 3) uint8.
    """
    samples = SUPERSAMPLING if paint is None else 1
    fine = camera.scaled(samples)
    extent = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))) if len(mesh.vertices) else 1.0
    shaded = _shade(mesh, fine, rasterise(fine, mesh.vertices, mesh.faces, NEAR_SHARE * extent), paint)
    blocks = shaded.reshape(camera.height, samples, camera.width, samples, 3)
    return np.rint(255 * blocks.mean((1, 3)).clip(0, 1) ** (1 / GAMMA)).astype(np.uint8)


def without_ceiling(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh (z up) without the faces that reach above 80% of its height; the whole mesh if all faces do."""
    kept = mesh.faces[below_ceiling(mesh.vertices)[mesh.faces].all(1)]
    if not len(kept):
        return mesh
    used, faces = np.unique(kept, return_inverse=True)
    return mesh.take(used, faces.reshape(-1, 3))


def below_ceiling(points: np.ndarray) -> np.ndarray:
    """(n,) bool: True for the points (n, 3), z up, within the lower 80% of their height."""
    low, high = points[:, 2].min(), points[:, 2].max()
    return points[:, 2] <= low + CEILING_SHARE * (high - low)


def visible_points(camera: Camera, hits: Hits) -> np.ndarray:
    """(n, 3) world points on the surface seen by the n pixels that are not background, row by row."""
    row, column = np.nonzero(hits.face >= 0)
    depth = hits.depth[row, column]
    across = np.stack([column + 0.5 - camera.width / 2, row + 0.5 - camera.height / 2], 1) / camera.focal
    return camera.eye + (depth[:, None] * np.column_stack([across, np.ones(len(depth))])) @ camera.axes


def without_back_faces(mesh: TriangleMesh, eye: np.ndarray) -> TriangleMesh:
    """The mesh without the faces whose back is turned to the camera position ``eye`` (3,)."""
    points = mesh.vertices[mesh.faces]
    face_normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    return replace(mesh, faces=mesh.faces[(face_normals * (points[:, 0] - eye)).sum(1) < 0])


def _shade(mesh: TriangleMesh, camera: Camera, hits: Hits, paint: Paint | None) -> np.ndarray:
    """(height, width, 3) linear colours of the pixels."""
    seen = hits.face >= 0
    picture = np.tile(BACKGROUND_COLOR**GAMMA, (*seen.shape, 1))
    corners = mesh.faces[hits.face[seen]]
    points = mesh.vertices[corners]
    face_normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    view = _unit(points.mean(1) - camera.eye)
    normals = _unit(face_normals if mesh.normals is None else mesh.normals[corners].mean(1))
    if paint is not None:
        color = paint(visible_points(camera, hits))
    else:
        front = (face_normals * view).sum(1) < 0
        color = np.where(front[:, None], _mesh_color(mesh, corners, normals), BACK_COLOR)
    ambient = AMBIENT if mesh.colors is None and paint is None else AMBIENT_OF_COLORS
    picture[seen] = (ambient + (1 - ambient) * np.abs((normals * view).sum(1, keepdims=True))) * color
    return picture


def _mesh_color(mesh: TriangleMesh, corners: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 3) linear colours of the triangles with corners (n, 3), from their vertex colours or unit normals (n, 3)."""
    if mesh.colors is None:
        return 0.62 + 0.3 * normals
    return (mesh.colors[corners].mean(1) / 255) ** GAMMA


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, 3) scaled to length 1; zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
