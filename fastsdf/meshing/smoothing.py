# SPDX-License-Identifier: MIT
"""Edge-preserving smoothing: face normals are filtered bilaterally, then vertices move to fit them.

Zheng, Fu, Au, Tai (2011), local scheme, with the vertex update of Sun, Rosin, Martin, Langbein (2007).
"""

from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.meshing.components import face_cross, sum_at_corners, vertex_normals
from fastsdf.meshing.edges import edge_keys

NORMAL_SIGMA = 0.35  # length of the difference of two unit normals at which they count as across an edge
NORMAL_STEPS, VERTEX_STEPS = 5, 3
MAX_MOVE_EDGES = 0.5
MAX_ROUNDS = 100


def smooth(mesh: TriangleMesh, rounds: int) -> TriangleMesh:
    """The mesh with its noise smoothed away and its edges kept; faces stay, normals are computed anew.

    No vertex moves further than half a median edge in all.

    Args:
        mesh: any mesh.
        rounds: of five passes over the normals and three over the vertices each, 0 to 100; 3 to 10 are usual.

    Raises:
        InputError: the number of rounds is out of range.
    """
    check_smoothing(rounds)
    if rounds == 0 or len(mesh.faces) == 0:
        return mesh
    faces, centre = torch.from_numpy(mesh.faces), mesh.vertices.mean(axis=0)
    start = torch.from_numpy(mesh.vertices - centre)
    pairs, counts = adjacent_faces(faces, len(start)), sum_at_corners(faces, start.new_ones(len(faces)), len(start))
    a, b = (start[faces[:, corner]] for corner in (0, 1))
    limit = MAX_MOVE_EDGES * float((a - b).norm(dim=1).median())
    vertices = start
    for _ in range(rounds):
        normals = _filtered_normals(vertices, faces, pairs)
        for _ in range(VERTEX_STEPS):
            vertices = _fitted_vertices(vertices, faces, normals, counts)
        move = vertices - start
        vertices = start + move * (limit / move.norm(dim=1, keepdim=True).clamp(min=limit))
    return replace(mesh, vertices=vertices.numpy() + centre, normals=vertex_normals(vertices, faces).numpy())


def check_smoothing(rounds: int) -> None:
    """Raises InputError if the number of rounds is out of range."""
    if not 0 <= rounds <= MAX_ROUNDS:
        raise InputError(f"the rounds of smoothing are {rounds}; give 0 to {MAX_ROUNDS}, e.g. 5")


def adjacent_faces(faces: Tensor, num_vertices: int) -> Tensor:
    """(p, 2) the pairs of faces that share an edge with no third one; faces (f, 3)."""
    keys, order = edge_keys(faces, num_vertices).flatten().sort()
    _, counts = torch.unique_consecutive(keys, return_counts=True)
    first = (counts.cumsum(0) - counts)[counts == 2]
    return torch.stack((order[first], order[first + 1]), dim=1) // 3


def _filtered_normals(vertices: Tensor, faces: Tensor, pairs: Tensor) -> Tensor:
    """Unit face normals (f, 3), averaged with those of adjacent faces (p, 2) that are near and face the same way."""
    cross = face_cross(vertices, faces)
    area = cross.norm(dim=1, keepdim=True)
    normals = cross / area.clamp(min=torch.finfo(area.dtype).tiny)
    middle = vertices[faces].mean(dim=1)
    one, two = pairs.unbind(1)
    gap = (middle[one] - middle[two]).norm(dim=1, keepdim=True)
    near = torch.exp(-0.5 * (gap / gap.mean()).square())
    for _ in range(NORMAL_STEPS):
        alike = (normals[one] - normals[two]).square().sum(dim=1, keepdim=True)
        weight = near * torch.exp(-0.5 * alike / NORMAL_SIGMA**2)
        total = area * normals
        total = total.index_add(0, one, weight * area[two] * normals[two])
        total = total.index_add_(0, two, weight * area[one] * normals[one])
        normals = total / total.norm(dim=1, keepdim=True).clamp(min=torch.finfo(area.dtype).tiny)
    return normals


def _fitted_vertices(vertices: Tensor, faces: Tensor, normals: Tensor, counts: Tensor) -> Tensor:
    """Vertices (v, 3) moved along the normals (f, 3) of their faces towards the planes through the faces' middles."""
    middle = vertices[faces].mean(dim=1)
    move = torch.zeros_like(vertices)
    for corner in faces.T:
        height = ((middle - vertices[corner]) * normals).sum(dim=1, keepdim=True)
        move.index_add_(0, corner, height * normals)
    return vertices + move / counts.clamp(min=1.0)[:, None]
