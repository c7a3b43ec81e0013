# SPDX-License-Identifier: MIT
"""Pictures of a mesh without a display: colours of the scan or of the normals, light from the eye."""

from dataclasses import replace

import numpy as np

from fastsdf.report.camera import Camera
from fastsdf.report.rasterise import Hits, rasterise
from fastsdf.scan import TriangleMesh

BACKGROUND = np.array([0.93, 0.95, 0.97])
BACK = np.array([0.72, 0.36, 0.30])
SUPERSAMPLING = 2
GAMMA = 1.8
CEILING_SHARE = 0.8
NEAR_SHARE = 1e-3


def draw(mesh: TriangleMesh, camera: Camera) -> np.ndarray:
    """(height, width, 3) uint8 picture; the back of a surface (seen from inside a solid) is brick red.

    Args:
        mesh: colours, if it has any, are taken per vertex; else they follow the normals.
        camera: each of its pixels is the mean of 2 x 2.
    """
    fine = camera.scaled(SUPERSAMPLING)
    extent = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    shaded = _shade(mesh, fine, rasterise(fine, mesh.vertices, mesh.faces, NEAR_SHARE * extent))
    blocks = shaded.reshape(camera.height, SUPERSAMPLING, camera.width, SUPERSAMPLING, 3)
    return np.rint(255 * blocks.mean((1, 3)).clip(0, 1) ** (1 / GAMMA)).astype(np.uint8)


def without_ceiling(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh (z up) without what lies above four fifths of its height."""
    low, high = mesh.vertices[:, 2].min(), mesh.vertices[:, 2].max()
    below = mesh.vertices[:, 2] <= low + CEILING_SHARE * (high - low)
    kept = mesh.faces[below[mesh.faces].all(1)]
    used, faces = np.unique(kept, return_inverse=True)
    return mesh.take(used, faces.reshape(-1, 3))


def facing_only(mesh: TriangleMesh, eye: np.ndarray) -> TriangleMesh:
    """The mesh without the faces that an eye (3,) sees from behind."""
    points = mesh.vertices[mesh.faces]
    flat = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    return replace(mesh, faces=mesh.faces[(flat * (points[:, 0] - eye)).sum(1) < 0])


def _shade(mesh: TriangleMesh, camera: Camera, hits: Hits) -> np.ndarray:
    """(height, width, 3) linear colours of what the pixels see."""
    seen = hits.face >= 0
    picture = np.tile(BACKGROUND**GAMMA, (*seen.shape, 1))
    corners = mesh.faces[hits.face[seen]]
    points = mesh.vertices[corners]
    flat = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    view = _unit(points.mean(1) - camera.eye)
    front = (flat * view).sum(1) < 0
    normals = _unit(flat if mesh.normals is None else mesh.normals[corners].mean(1))
    light = 0.35 + 0.65 * np.abs((normals * view).sum(1, keepdims=True))
    if mesh.colors is None:
        color = 0.72 + 0.22 * normals
    else:
        color = (mesh.colors[corners].mean(1) / 255) ** GAMMA
    picture[seen] = light * np.where(front[:, None], color, BACK)
    return picture


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, 3) of length 1; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
