# SPDX-License-Identifier: MIT
"""Measures distances between a mesh and a reference in both directions, at sampled points."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from fastsdf.errors import InputError
from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.evaluation.topology import face_normals
from fastsdf.geometry import PointCloud, TriangleMesh


class DirectedDistances(NamedTuple):
    """Distances in one direction, from sample points to a target surface.

    Attributes:
        points: (n, 3) sample points.
        distance: (n,) distances to the target, metres.
        cosine: (n,) cosines between the normals of sample and target, NaN where unknown; None without normals.
    """

    points: np.ndarray
    distance: np.ndarray
    cosine: np.ndarray | None


def both_directions(
    mesh: TriangleMesh,
    reference: TriangleMesh | PointCloud,
    recall_source: TriangleMesh | PointCloud,
    count: int,
    seed: int,
) -> tuple[DirectedDistances, DirectedDistances]:
    """Returns the distances from mesh samples to the reference, and from ``recall_source`` to the mesh.

    Args:
        mesh: the mesh to score.
        reference: target of the first direction.
        recall_source: points of the second direction, or a mesh to sample.
        count: number of samples of each mesh.
        seed: seed of the samples.

    Raises:
        InputError: if a mesh has no area.
    """
    samples = sample_mesh(mesh, count, np.random.default_rng([seed, 0]))
    precision = _to_mesh(samples, reference) if isinstance(reference, TriangleMesh) else _to_points(samples, reference)
    if isinstance(recall_source, TriangleMesh):
        recall_source = sample_mesh(recall_source, count, np.random.default_rng([seed, 1]))
    return precision, _to_mesh(recall_source, mesh)


def sample_mesh(mesh: TriangleMesh, count: int, rng: np.random.Generator) -> PointCloud:
    """Draws ``count`` area-uniform samples, with the normals of their faces.

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


def _to_mesh(points: PointCloud, mesh: TriangleMesh) -> DirectedDistances:
    distance, face = mesh_distance(mesh).distance(points.points)
    if points.normals is None:
        return DirectedDistances(points.points, distance, None)
    return DirectedDistances(points.points, distance, _cosine(face_normals(mesh)[0][face], points.normals))


def _to_points(points: PointCloud, target: PointCloud) -> DirectedDistances:
    origin = target.points.mean(axis=0)
    distance, nearest = KDTree(target.points - origin).query(points.points - origin, workers=-1)
    if points.normals is None or target.normals is None:
        return DirectedDistances(points.points, distance, None)
    return DirectedDistances(points.points, distance, _cosine(target.normals[nearest], points.normals))


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines (n,) between normals (n, 3); NaN where one of them is unknown, i.e. zero."""
    known = one.any(axis=1) & other.any(axis=1)
    return np.where(known, (one * other).sum(axis=1), np.nan)
