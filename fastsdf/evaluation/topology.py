# SPDX-License-Identifier: MIT
"""Counts that describe a mesh as a surface: pieces, open and over-used edges, area."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fastsdf.geometry import TriangleMesh


class Topology(NamedTuple):
    """Counts after equal vertices are welded and faces that then have an edge of no length are dropped."""

    components: int
    watertight: bool
    boundary_edges: int
    nonmanifold_edges: int


def face_normals(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (f, 3), zero for faces without area, and areas (f,)."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    length = np.linalg.norm(cross, axis=1)
    return cross / np.maximum(length, 1e-300)[:, None], length / 2.0


def topology(mesh: TriangleMesh) -> Topology:
    """Components (joined through vertices), watertightness and edge counts of ``mesh``.

    Vertices are welded only if exactly equal. Watertight means that every edge has exactly two faces.
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
    open_edges, crowded = int((uses == 1).sum()), int((uses > 2).sum())
    return Topology(len(np.unique(pieces[faces[:, 0]])), open_edges + crowded == 0, open_edges, crowded)


def _weld(vertices: np.ndarray) -> tuple[np.ndarray, int]:
    """A label (v,) per vertex, equal for equal vertices, and the number of labels."""
    order = np.lexsort(vertices.T)
    ordered = vertices[order]
    new = np.ones(len(vertices), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    labels = np.empty(len(vertices), np.int64)
    labels[order] = np.cumsum(new) - 1
    return labels, int(new.sum())
