# SPDX-License-Identifier: MIT
"""Computes exact point-to-triangle distances with Open3D, or with `exact_distance` where Open3D does not load."""

from typing import Protocol

import numpy as np

from fastsdf.errors import InputError
from fastsdf.evaluation.exact_distance import ExactDistance
from fastsdf.geometry import TriangleMesh
from fastsdf.system.open3d_library import load_open3d

_CHUNK = 500_000  # points per call of Open3D; bounds the memory of float32 copies


class MeshDistance(Protocol):
    """An index of a mesh for closest-point queries."""

    def distance(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns unsigned distances and nearest faces.

        Args:
            points: (n, 3) float64 in world coordinates.

        Returns:
            (n,) float64 distances in the mesh's units, and (n,) int64 face indices.
        """
        ...


def mesh_distance(mesh: TriangleMesh) -> MeshDistance:
    """Makes an index of a mesh with at least one face; both kinds give the same distances to about 1e-7 (relative)."""
    return ExactDistance(mesh) if why_not_open3d() else Open3DDistance(mesh)


def why_not_open3d() -> str:
    """Returns one line on why Open3D cannot be loaded; empty if it can."""
    try:
        load_open3d()
    except InputError as error:
        return str(error)
    return ""


class Open3DDistance:
    """Closest-point queries by Open3D's ray-casting scene.

    Open3D works in float32, so mesh and points are first shifted by the centre of the mesh's bounding box. Errors are
    then about 1e-7 of the mesh's extent.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        o3d = load_open3d()
        self._origin = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2.0
        self._tensor = o3d.core.Tensor.from_numpy
        self._scene = o3d.t.geometry.RaycastingScene()
        vertices = np.ascontiguousarray(mesh.vertices - self._origin, np.float32)
        self._scene.add_triangles(self._tensor(vertices), self._tensor(np.ascontiguousarray(mesh.faces, np.uint32)))

    def distance(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `MeshDistance.distance`."""
        distances, faces = np.empty(len(points)), np.empty(len(points), np.int64)
        for start in range(0, len(points), _CHUNK):
            part = slice(start, start + _CHUNK)
            query = np.ascontiguousarray(points[part] - self._origin, np.float32)
            found = self._scene.compute_closest_points(self._tensor(query))
            nearest = found["points"].numpy().astype(np.float64)
            distances[part] = np.linalg.norm(nearest - query, axis=1)
            faces[part] = found["primitive_ids"].numpy()
        return distances, faces
