# SPDX-License-Identifier: MIT
"""Pictures of a mesh without a display: colours of the scan or of the normals, light from the eye."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.rendering.camera import Camera
from fastsdf.rendering.rasterise import Hits, rasterise

BACKGROUND = np.array([0.93, 0.95, 0.97])
BACK = np.array([0.72, 0.36, 0.30])
SUPERSAMPLING = 2
GAMMA = 1.8
CEILING_SHARE = 0.8
NEAR_SHARE = 1e-3
AMBIENT = 0.3
AMBIENT_OF_PHOTOGRAPHS = 0.7

Paint = Callable[[np.ndarray], np.ndarray]


def draw(mesh: TriangleMesh, camera: Camera, paint: Paint | None = None) -> np.ndarray:
    """(height, width, 3) uint8 picture; the back of a surface (seen from inside a solid) is brick red.

    Args:
        mesh: colours, if it has any, are taken per vertex; else they follow the normals.
        camera: each of its pixels is the mean of 2 x 2, but for ``paint`` of one.
        paint: linear colours (n, 3) of seen places (n, 3), of fronts and backs alike; None: as above.
    """
    samples = SUPERSAMPLING if paint is None else 1
    fine = camera.scaled(samples)
    extent = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))) if len(mesh.vertices) else 1.0
    shaded = _shade(mesh, fine, rasterise(fine, mesh.vertices, mesh.faces, NEAR_SHARE * extent), paint)
    blocks = shaded.reshape(camera.height, samples, camera.width, samples, 3)
    return np.rint(255 * blocks.mean((1, 3)).clip(0, 1) ** (1 / GAMMA)).astype(np.uint8)


def without_ceiling(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh (z up) without what reaches above four fifths of its height; all of it, if everything does."""
    kept = mesh.faces[below_ceiling(mesh.vertices)[mesh.faces].all(1)]
    if not len(kept):
        return mesh
    used, faces = np.unique(kept, return_inverse=True)
    return mesh.take(used, faces.reshape(-1, 3))


def below_ceiling(points: np.ndarray) -> np.ndarray:
    """Which points (n, 3), z up, lie in the lower four fifths of their height: (n,) bool."""
    low, high = points[:, 2].min(), points[:, 2].max()
    return points[:, 2] <= low + CEILING_SHARE * (high - low)


def seen_places(camera: Camera, hits: Hits) -> np.ndarray:
    """(n, 3) world points of the n pixels that see something, row by row."""
    row, column = np.nonzero(hits.face >= 0)
    depth = hits.depth[row, column]
    across = np.stack([column + 0.5 - camera.width / 2, row + 0.5 - camera.height / 2], 1) / camera.focal
    return camera.eye + (depth[:, None] * np.column_stack([across, np.ones(len(depth))])) @ camera.axes


def facing_only(mesh: TriangleMesh, eye: np.ndarray) -> TriangleMesh:
    """The mesh without the faces that an eye (3,) sees from behind."""
    points = mesh.vertices[mesh.faces]
    flat = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    return replace(mesh, faces=mesh.faces[(flat * (points[:, 0] - eye)).sum(1) < 0])


def _shade(mesh: TriangleMesh, camera: Camera, hits: Hits, paint: Paint | None) -> np.ndarray:
    """(height, width, 3) linear colours of what the pixels see."""
    seen = hits.face >= 0
    picture = np.tile(BACKGROUND**GAMMA, (*seen.shape, 1))
    corners = mesh.faces[hits.face[seen]]
    points = mesh.vertices[corners]
    flat = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    view = _unit(points.mean(1) - camera.eye)
    normals = _unit(flat if mesh.normals is None else mesh.normals[corners].mean(1))
    if paint is not None:
        color = paint(seen_places(camera, hits))
    else:
        front = (flat * view).sum(1) < 0
        color = np.where(front[:, None], _own_color(mesh, corners, normals), BACK)
    ambient = AMBIENT if mesh.colors is None and paint is None else AMBIENT_OF_PHOTOGRAPHS
    picture[seen] = (ambient + (1 - ambient) * np.abs((normals * view).sum(1, keepdims=True))) * color
    return picture


def _own_color(mesh: TriangleMesh, corners: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 3) linear colours of triangles with corners (n, 3): the vertices', or by their normals (n, 3)."""
    if mesh.colors is None:
        return 0.62 + 0.3 * normals
    return (mesh.colors[corners].mean(1) / 255) ** GAMMA


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, 3) of length 1; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
