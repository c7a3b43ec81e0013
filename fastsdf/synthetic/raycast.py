# SPDX-License-Identifier: MIT
"""Ray casting against a mesh, with Open3D."""

from typing import NamedTuple

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic.solids import face_cross
from fastsdf.system.open3d_library import load_open3d

_CHUNK = 1_000_000  # rays cast at once; bounds the memory


class Hits(NamedTuple):
    """First hits of n rays.

    Attributes:
        range_m: (n,) range in units of the direction's length; infinite for rays without a hit.
        face: (n,) index of the face, -1 without a hit.
        normal: (n, 3) unit normal of the face, zero without a hit.
    """

    range_m: np.ndarray
    face: np.ndarray
    normal: np.ndarray


class RayScene:
    """A mesh prepared for ray casting; float32 inside, so coordinates should stay below some hundred metres."""

    def __init__(self, mesh: TriangleMesh) -> None:
        o3d = load_open3d()
        self._tensor = o3d.core.Tensor.from_numpy
        self._scene = o3d.t.geometry.RaycastingScene()
        vertices = np.ascontiguousarray(mesh.vertices, np.float32)
        self._scene.add_triangles(self._tensor(vertices), self._tensor(np.ascontiguousarray(mesh.faces, np.uint32)))
        cross = face_cross(mesh)
        self._normals = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """Find the first hits of rays.

        Args:
            origins: (n, 3) or (3,) start points.
            directions: (n, 3), of any length.

        Returns:
            The hits; normals are those of the faces, not flipped towards the ray.
        """
        rays = np.concatenate([np.broadcast_to(origins, directions.shape), directions], axis=1).astype(np.float32)
        found = [self._scene.cast_rays(self._tensor(rays[i : i + _CHUNK])) for i in range(0, len(rays), _CHUNK)]
        ranges = np.concatenate([f["t_hit"].numpy() for f in found]).astype(np.float64)
        faces = np.concatenate([f["primitive_ids"].numpy() for f in found]).astype(np.int64)
        hit = np.isfinite(ranges)
        normals = np.zeros((len(rays), 3))
        normals[hit] = self._normals[faces[hit]]
        return Hits(ranges, np.where(hit, faces, -1), normals)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Unsigned distances (n,) of points (n, 3) to the mesh, metres."""
        return self._scene.compute_distance(self._tensor(np.ascontiguousarray(points, np.float32))).numpy()
