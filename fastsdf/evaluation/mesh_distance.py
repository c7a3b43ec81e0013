# SPDX-License-Identifier: MIT
"""Exact point-to-triangle distances, by Open3D."""

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.system.open3d_library import load_open3d

_CHUNK = 500_000


class ClosestPoint:
    """A mesh made ready for closest-point queries.

    Open3D works in float32, so the mesh and the queries are shifted by a float64 ``origin`` first, by default
    the middle of the mesh's bounding box. Errors are then about 1e-7 of the mesh's extent.
    """

    def __init__(self, mesh: TriangleMesh, origin: np.ndarray | None = None) -> None:
        o3d = load_open3d()
        low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
        self._origin = (low + high) / 2.0 if origin is None else origin
        self._tensor = o3d.core.Tensor.from_numpy
        self._scene = o3d.t.geometry.RaycastingScene()
        vertices = np.ascontiguousarray(mesh.vertices - self._origin, np.float32)
        self._scene.add_triangles(self._tensor(vertices), self._tensor(np.ascontiguousarray(mesh.faces, np.uint32)))

    def distance(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unsigned distance and nearest face.

        Args:
            points: (n, 3) float64 in world coordinates.

        Returns:
            (n,) float64 distances in the mesh's units, and (n,) int64 face indices.
        """
        distances, faces = np.empty(len(points)), np.empty(len(points), np.int64)
        for start in range(0, len(points), _CHUNK):
            part = slice(start, start + _CHUNK)
            query = np.ascontiguousarray(points[part] - self._origin, np.float32)
            found = self._scene.compute_closest_points(self._tensor(query))
            nearest = found["points"].numpy().astype(np.float64)
            distances[part] = np.linalg.norm(nearest - query, axis=1)
            faces[part] = found["primitive_ids"].numpy()
        return distances, faces
