# SPDX-License-Identifier: MIT
"""Smooths meshes and keeps their edges: filters the face normals bilaterally, then moves vertices to fit them.

The filter is the local scheme of Zheng, Fu, Au, Tai (2011), bilateral normal filtering; the vertex update is that of
Sun, Rosin, Martin, Langbein (2007).
"""

from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.meshing.components import face_cross, sum_at_corners, vertex_normals
from fastsdf.meshing.edges import edge_keys

NORMAL_SIGMA = 0.35  # length of the difference of two unit normals (20 degrees) beyond which an edge is kept; chosen
NORMAL_STEPS, VERTEX_STEPS = 5, 3  # passes per round; chosen, not swept
MAX_MOVE_EDGES = 0.5  # median edges; no vertex moves farther; chosen, not swept
MAX_ROUNDS = 100  # guards against typing errors


def smooth(mesh: TriangleMesh, rounds: int) -> TriangleMesh:
    """Smooths away the noise of a mesh and keeps its edges; faces stay, normals are recomputed.

    In total no vertex moves farther than half the median edge length.

    Args:
        mesh: any mesh.
        rounds: number of rounds, 0 to 100; 3 to 10 are usual. Each makes five passes over the normals and three over
            the vertices.

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
        raise InputError(f"the number of smoothing rounds is {rounds}; give 0 to {MAX_ROUNDS}, e.g. 5")


def adjacent_faces(faces: Tensor, num_vertices: int) -> Tensor:
    """(p, 2) pairs of the faces (f, 3) that share an edge which no third face has."""
    keys, order = edge_keys(faces, num_vertices).flatten().sort()
    _, counts = torch.unique_consecutive(keys, return_counts=True)
    first = (counts.cumsum(0) - counts)[counts == 2]
    return torch.stack((order[first], order[first + 1]), dim=1) // 3


def _filtered_normals(vertices: Tensor, faces: Tensor, pairs: Tensor) -> Tensor:
    """Unit face normals (f, 3), averaged with adjacent faces (p, 2) weighted by distance and by similar normals."""
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
    """Vertices (v, 3) moved along the normals (f, 3) of their faces towards the planes through the face centres."""
    middle = vertices[faces].mean(dim=1)
    move = torch.zeros_like(vertices)
    for corner in faces.T:
        height = ((middle - vertices[corner]) * normals).sum(dim=1, keepdim=True)
        move.index_add_(0, corner, height * normals)
    return vertices + move / counts.clamp(min=1.0)[:, None]
