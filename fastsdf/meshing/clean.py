# SPDX-License-Identifier: MIT
"""Cleaning of extracted meshes: pure functions from arrays to arrays, with all that vertices carry."""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fastsdf.scan import TriangleMesh


def face_cross(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Face normals times twice the face area, (f, 3), of vertices (v, 3) and faces (f, 3)."""
    corner = vertices[faces[:, 0]]
    ax, ay, az = (vertices[faces[:, 1]] - corner).T
    bx, by, bz = (vertices[faces[:, 2]] - corner).T
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=1)


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Areas (f,) of faces (f, 3), in squared units of the vertices (v, 3)."""
    return 0.5 * np.linalg.norm(face_cross(vertices, faces), axis=1)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (v, 3); zero for a vertex without faces."""
    cross = face_cross(vertices, faces)
    total = np.zeros_like(vertices, dtype=np.float64)
    for axis in range(3):
        weights = np.ascontiguousarray(cross[:, axis])
        for corner in np.ascontiguousarray(faces.T):
            total[:, axis] += np.bincount(corner, weights=weights, minlength=len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return total / np.where(length > 0, length, 1.0)


def components(faces: np.ndarray, num_vertices: int) -> tuple[int, np.ndarray]:
    """Connected components by shared vertices.

    Args:
        faces: (f, 3) vertex indices.
        num_vertices: v.

    Returns:
        Number of components that have a face, and (f,) int64 component of each face.
    """
    source, target = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    links = coo_matrix((np.ones(len(source), dtype=np.int8), (source, target)), shape=(num_vertices, num_vertices))
    _, of_vertex = connected_components(links, directed=False)
    labels, of_face = np.unique(of_vertex[faces[:, 0]], return_inverse=True)
    return len(labels), of_face


def remove_unreferenced(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh without vertices that no face uses; the order of the others is kept."""
    used = np.zeros(len(mesh.vertices), dtype=bool)
    used[mesh.faces] = True
    number = np.cumsum(used) - 1
    return mesh.take(used, number[mesh.faces])


def keep_faces(mesh: TriangleMesh, keep: np.ndarray) -> TriangleMesh:
    """The faces of a mask (f,) or index array, with only their vertices."""
    return remove_unreferenced(replace(mesh, faces=mesh.faces[keep]))


def drop_small_components(mesh: TriangleMesh, min_area: float, min_share: float = 0.0) -> TriangleMesh:
    """Drop connected pieces that are small; the largest piece always stays.

    Args:
        mesh: any mesh.
        min_area: smallest area of a piece to keep, squared world units, >= 0.
        min_share: smallest share of the total area to keep, 0..1.
    """
    if len(mesh.faces) == 0:
        return mesh
    number, piece = components(mesh.faces, len(mesh.vertices))
    area = np.bincount(piece, weights=face_areas(mesh.vertices, mesh.faces), minlength=number)
    keep = area >= max(min_area, min_share * area.sum())
    keep[np.argmax(area)] = True
    return keep_faces(mesh, keep[piece])
