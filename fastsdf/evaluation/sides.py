# SPDX-License-Identifier: MIT
"""Distances between a mesh and a reference in both directions, at samples of either."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from fastsdf.errors import InputError
from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.evaluation.topology import face_normals
from fastsdf.geometry import PointCloud, TriangleMesh


class Side(NamedTuple):
    """One direction: the samples (n, 3), their distances (n,) and, if known, cosines between normals (n,)."""

    points: np.ndarray
    distance: np.ndarray
    cosine: np.ndarray | None


def both_sides(
    mesh: TriangleMesh,
    reference: TriangleMesh | PointCloud,
    recall_side: TriangleMesh | PointCloud,
    count: int,
    seed: int,
) -> tuple[Side, Side]:
    """Mesh samples -> reference, and ``recall_side`` -> mesh; ``count`` samples of each mesh.

    Raises:
        InputError: if a mesh has no area.
    """
    samples = sample_mesh(mesh, count, np.random.default_rng([seed, 0]))
    precise = _to_mesh(samples, reference) if isinstance(reference, TriangleMesh) else _to_points(samples, reference)
    if isinstance(recall_side, TriangleMesh):
        recall_side = sample_mesh(recall_side, count, np.random.default_rng([seed, 1]))
    return precise, _to_mesh(recall_side, mesh)


def sample_mesh(mesh: TriangleMesh, count: int, rng: np.random.Generator) -> PointCloud:
    """``count`` area-uniform samples with the normals of their faces.

    Raises:
        InputError: if the mesh has no area.
    """
    normals, areas = face_normals(mesh)
    total = np.cumsum(areas)
    if not total[-1] > 0:
        raise InputError(f"evaluate: a mesh of {len(mesh.faces)} faces has no area")
    face = np.searchsorted(total, rng.random(count) * total[-1], side="right").clip(max=len(total) - 1)
    weights = rng.dirichlet((1.0, 1.0, 1.0), count)
    points = np.einsum("nk,nkc->nc", weights, mesh.vertices[mesh.faces[face]])
    return PointCloud(points, normals=normals[face])


def _to_mesh(points: PointCloud, mesh: TriangleMesh) -> Side:
    distance, face = mesh_distance(mesh).distance(points.points)
    if points.normals is None:
        return Side(points.points, distance, None)
    return Side(points.points, distance, _cosine(face_normals(mesh)[0][face], points.normals))


def _to_points(points: PointCloud, target: PointCloud) -> Side:
    origin = target.points.mean(axis=0)
    distance, nearest = KDTree(target.points - origin).query(points.points - origin, workers=-1)
    if points.normals is None or target.normals is None:
        return Side(points.points, distance, None)
    return Side(points.points, distance, _cosine(target.normals[nearest], points.normals))


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines (n,) between normals (n, 3); NaN where one of them is unknown, which is zero."""
    known = one.any(axis=1) & other.any(axis=1)
    return np.where(known, (one * other).sum(axis=1), np.nan)
