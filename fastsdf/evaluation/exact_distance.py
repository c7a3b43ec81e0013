# SPDX-License-Identifier: MIT
# pyright: reportGeneralTypeIssues=false
"""Computes exact point-to-triangle distances in float64 without Open3D; slower, for machines where it does not load.

Long triangles are cut into pieces. The candidates for a point are the pieces whose centroids are nearest to it. Any
other piece is at least as far away as the centroid of the last candidate, less the largest radius of a piece. A point
gets more candidates only while this bound does not prove its distance.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from scipy.spatial import KDTree

from fastsdf.geometry import TriangleMesh

FIRST_CANDIDATES = (
    8  # pieces; enough for most points near a marching-cubes mesh; each further round has four times more
)
MAX_PIECES = 400_000  # largest number of pieces of the large triangles; bounds memory
PAIRS_AT_ONCE = 1 << 24  # pairs of a point and a piece; bounds memory to about 0.4 GiB


class ExactDistance:
    """An index of a mesh for closest-point queries.

    Args:
        mesh: mesh with at least one face.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        self._origin = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2.0
        corners = mesh.vertices[mesh.faces] - self._origin
        area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        longest = _edges(corners).max(axis=1)
        size = max(2.0 * float(np.median(longest)), 2.0 * float(np.sqrt(area.sum() / MAX_PIECES)))
        self._corners, self._face = cut_triangles(corners, size)
        centroids = self._corners.mean(axis=1)
        self._radius = float(np.linalg.norm(self._corners - centroids[:, None], axis=2).max())
        self._tree = KDTree(centroids)

    def distance(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unsigned distances (n,) float64 of points (n, 3) in world coordinates, and nearest faces (n,) int64."""
        x = points - self._origin
        distances, faces = np.full(len(x), np.inf), np.zeros(len(x), np.int64)
        unproven, count = np.arange(len(x)), FIRST_CANDIDATES
        while len(unproven):
            count = min(count, len(self._face))
            proven = [self._improve(x, part, count, distances, faces) for part in _chunks(unproven, count)]
            unproven = unproven[~np.concatenate(proven)]
            count *= 4
        return distances, faces

    def _improve(
        self, x: np.ndarray, index: np.ndarray, count: int, distances: np.ndarray, faces: np.ndarray
    ) -> np.ndarray:
        """Updates the points ``index`` (m,) with ``count`` candidates, in place; (m,) bool: proven to be nearest."""
        ranks: Any = [*range(1, count + 1)]
        gap, piece = self._tree.query(x[index], ranks, workers=-1)
        found, nearest = nearest_of(x[index], self._corners, np.asarray(piece))
        distances[index], faces[index] = found, self._face[nearest]
        return (found <= gap[:, -1] - self._radius) | (count == len(self._face))


def cut_triangles(corners: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Cuts triangles at the middle of their longest edge until no edge is longer than ``size``.

    Args:
        corners: (f, 3, 3) float64 corners of the triangles.
        size: largest edge length, > 0.

    Returns:
        (p, 3, 3) corners of the pieces, and (p,) the triangle that each piece belongs to.
    """
    done, of_done = [], []
    rest, of_rest = corners, np.arange(len(corners))
    while len(rest):
        edges = _edges(rest)
        long = edges.max(axis=1) > size
        done.append(rest[~long])
        of_done.append(of_rest[~long])
        rest, of_rest, edges = rest[long], of_rest[long], edges[long]
        first = edges.argmax(axis=1)[:, None]  # the longest edge runs from corner ``first`` to the next
        a, b, c = (np.take_along_axis(rest, ((first + k) % 3)[..., None], 1)[:, 0] for k in range(3))
        middle = (a + b) / 2.0
        rest = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        of_rest = np.concatenate([of_rest, of_rest])
    return np.concatenate(done), np.concatenate(of_done)


@njit(parallel=True, cache=True)
def nearest_of(points: np.ndarray, corners: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest of the candidates (n, k) of each point (n, 3) among triangles (p, 3, 3).

    The distance to a triangle is that to its plane if the point projects into the triangle, else that to its nearest
    edge.

    Returns:
        (n,) distances, and (n,) indices of the nearest triangles.
    """
    distance, nearest = np.empty(len(points)), np.empty(len(points), np.int64)
    for i in prange(len(points)):
        best, which = np.inf, -1
        for candidate in candidates[i]:
            squared = _squared_distance(points[i], corners[candidate])
            if squared < best:
                best, which = squared, candidate
        distance[i], nearest[i] = np.sqrt(best), which
    return distance, nearest


@njit(inline="always")
def _squared_distance(point: np.ndarray, corners: np.ndarray) -> float:
    ux, uy, uz = corners[1] - corners[0]
    vx, vy, vz = corners[2] - corners[0]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    area = nx * nx + ny * ny + nz * nz
    over, beside, across = area > 0, np.inf, 0.0  # a triangle without area has only edges
    for k in range(3):
        ex, ey, ez = corners[(k + 1) % 3] - corners[k]
        px, py, pz = point - corners[k]
        side = (ey * pz - ez * py) * nx + (ez * px - ex * pz) * ny + (ex * py - ey * px) * nz
        over = over and side >= 0
        length = max(ex * ex + ey * ey + ez * ez, 1e-300)  # guards against division by zero
        share = min(max((px * ex + py * ey + pz * ez) / length, 0.0), 1.0)
        rx, ry, rz = px - share * ex, py - share * ey, pz - share * ez
        beside = min(beside, rx * rx + ry * ry + rz * rz)
        across = px * nx + py * ny + pz * nz
    return across * across / area if over else beside


def _edges(corners: np.ndarray) -> np.ndarray:
    """(f, 3) lengths of the edges from each corner to the next."""
    return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)


def _chunks(index: np.ndarray, count: int) -> list[np.ndarray]:
    return np.array_split(index, max(-(-len(index) * count // PAIRS_AT_ONCE), 1))
