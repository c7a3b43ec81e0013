# SPDX-License-Identifier: MIT
"""Connected components, areas and normals of meshes, and functions that drop parts of a mesh."""

from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.meshing.surface import Surface


def face_cross(vertices: Tensor, faces: Tensor) -> Tensor:
    """Face normals (f, 3), each as long as twice the face's area, of vertices (v, 3) and faces (f, 3)."""
    a, b, c = (vertices[corner] for corner in faces.unbind(1))
    return torch.linalg.cross(b - a, c - a)


def face_areas(vertices: Tensor, faces: Tensor) -> Tensor:
    """Areas (f,) of faces (f, 3), in squared units of the vertices (v, 3)."""
    return 0.5 * face_cross(vertices, faces).norm(dim=1)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Area-weighted unit normals (v, 3) of vertices (v, 3) with faces (f, 3); zero for a vertex without faces."""
    total = torch.stack([sum_at_corners(faces, cross, len(vertices)) for cross in face_cross(vertices, faces).T], 1)
    length = total.norm(dim=1, keepdim=True)
    return total / torch.where(length > 0, length, 1.0)


def sum_at_corners(faces: Tensor, values: Tensor, num_vertices: int) -> Tensor:
    """(v,) sum over the faces (f, 3) of each vertex of their values (f,)."""
    total = torch.zeros(num_vertices, dtype=values.dtype, device=values.device)
    for corner in faces.T:
        total.index_add_(0, corner, values)
    return total


def components(faces: Tensor, num_vertices: int) -> tuple[int, Tensor]:
    """Finds the connected components of faces that share vertices.

    Args:
        faces: (f, 3) vertex indices.
        num_vertices: v.

    Returns:
        The number of components with a face, and (f,) int64 the component of each face.
    """
    of_face = lowest_linked(faces, num_vertices)[faces[:, 0]]
    present = torch.zeros(num_vertices, dtype=torch.bool, device=faces.device)
    present[of_face] = True
    number = present.cumsum(0)
    return int(number[-1]) if num_vertices else 0, number[of_face] - 1


def lowest_linked(faces: Tensor, num_vertices: int) -> Tensor:
    """(v,) lowest vertex index in the component of each vertex, found in a few rounds, each linear in the mesh.

    In each round every tree of linked vertices is attached to the lowest tree that it touches; pointer jumping then
    links all vertices of a tree to its root.
    """
    parent = torch.arange(num_vertices, device=faces.device)
    a, b = faces[:, :2].flatten(), faces[:, 1:].flatten()
    while len(a):
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        parent.scatter_reduce_(0, high, low, "amin")
        jumped = parent[parent]
        while not torch.equal(jumped, parent):
            parent, jumped = jumped, jumped[jumped]
        a, b = parent[a], parent[b]
        apart = a != b
        a, b = a[apart], b[apart]
    return parent


def remove_unreferenced(surface: Surface) -> Surface:
    """Returns the mesh without vertices that no face uses; keeps the order of the others."""
    used = torch.zeros(len(surface.vertices), dtype=torch.bool, device=surface.vertices.device)
    used[surface.faces.flatten()] = True
    number = used.cumsum(0) - 1
    return surface.take(used.nonzero()[:, 0], number[surface.faces])


def keep_faces(surface: Surface, keep: Tensor) -> Surface:
    """Returns the mesh with the faces of a mask (f,) or index tensor, and only their vertices."""
    return remove_unreferenced(replace(surface, faces=surface.faces[keep]))


def drop_small_components(surface: Surface, min_area: float, min_share: float = 0.0) -> Surface:
    """Drops small connected pieces; the largest piece always stays.

    Args:
        surface: any mesh.
        min_area: smallest area of a piece to keep, squared world units, >= 0.
        min_share: smallest share of the total area to keep, 0..1.
    """
    if len(surface.faces) == 0:
        return surface
    number, piece = components(surface.faces, len(surface.vertices))
    area = torch.zeros(number, dtype=torch.float64, device=piece.device)
    area.index_add_(0, piece, face_areas(surface.vertices, surface.faces))
    keep = area >= torch.clamp(min_share * area.sum(), min=min_area)
    keep[area.argmax()] = True
    return keep_faces(surface, keep[piece])
