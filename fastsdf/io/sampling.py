# SPDX-License-Identifier: MIT
"""Samples points on the surface of a mesh."""

import numpy as np

from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud, TriangleMesh


def sample_mesh(mesh: TriangleMesh, count: int, seed: int) -> PointCloud:
    """Sample a mesh uniformly by area; the points have the normals of their faces.

    Args:
        mesh: the surface.
        count: number of points, >= 1.
        seed: random seed; equal seeds give equal points.

    Raises:
        InputError: ``count`` is below 1.
        ScanError: the mesh has zero area.
    """
    if count < 1:
        raise InputError(f"the number of surface samples must be at least 1, got {count}")
    corners = mesh.vertices[mesh.faces]
    edges = corners[:, 1:] - corners[:, :1]
    cross = np.cross(edges[:, 0], edges[:, 1])
    double_area = np.linalg.norm(cross, axis=1)
    total = np.cumsum(double_area)
    if not total[-1] > 0:
        raise ScanError(f"the mesh has zero area ({len(mesh.faces)} faces): export it again")
    rng = np.random.default_rng(seed)
    face = np.searchsorted(total, rng.random(count) * total[-1], side="right")
    weights = rng.random((count, 2))
    outside = weights.sum(axis=1) > 1.0
    weights[outside] = 1.0 - weights[outside]
    points = corners[face, 0] + np.einsum("nk,nkc->nc", weights, edges[face])
    return PointCloud(points, cross[face] / double_area[face, None])
