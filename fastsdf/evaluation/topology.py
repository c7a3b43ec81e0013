# SPDX-License-Identifier: MIT
"""Computes the components, watertightness and edge counts of a mesh, and its face normals and areas."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fastsdf.geometry import TriangleMesh


class Topology(NamedTuple):
    """Counts after equal vertices are welded and degenerate faces are dropped."""

    components: int
    watertight: bool
    boundary_edges: int
    nonmanifold_edges: int


def face_normals(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (f, 3), zero for faces without area, and areas (f,)."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    length = np.linalg.norm(cross, axis=1)
    return cross / np.maximum(length, 1e-300)[:, None], length / 2.0  # 1e-300 guards against division by zero


def topology(mesh: TriangleMesh) -> Topology:
    """Counts the components (faces that share vertices) and the edges of a mesh, and tests whether it is watertight.

    Vertices are welded only if exactly equal. A mesh is watertight if every edge has exactly two faces.
    """
    labels, count = _weld(mesh.vertices)
    faces = labels[mesh.faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    if not len(faces):
        return Topology(0, False, 0, 0)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    keys, uses = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    graph = coo_matrix((np.ones(len(keys), np.int8), (keys // count, keys % count)), shape=(count, count))
    pieces = connected_components(graph, directed=False)[1]
    open_edges, nonmanifold = int((uses == 1).sum()), int((uses > 2).sum())
    return Topology(len(np.unique(pieces[faces[:, 0]])), open_edges + nonmanifold == 0, open_edges, nonmanifold)


def _weld(vertices: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels (v,) of vertices, equal for equal vertices, and the number of distinct labels."""
    order = np.lexsort(vertices.T)
    ordered = vertices[order]
    new = np.ones(len(vertices), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    labels = np.empty(len(vertices), np.int64)
    labels[order] = np.cumsum(new) - 1
    return labels, int(new.sum())
