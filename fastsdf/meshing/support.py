# SPDX-License-Identifier: MIT
"""Which part of a mesh the scan has measured, judged against each point's own spacing and the scan's noise."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.spatial import KDTree

from fastsdf.cloud_thinning import thin
from fastsdf.scan import TriangleMesh

NEIGHBOURS = 8
MIN_COSINE = 0.5
OFFSET_SPACINGS = 0.2
MAX_RADIUS_SPACINGS = 3.0
GAP_NEIGHBOURS = 24
GAP_THINNING = 1.5
MAX_OPEN_ANGLE = math.radians(150.0)
RELAXATIONS = 4
CHUNK = 1 << 17


@dataclass(frozen=True)
class Support:
    """Measured surface: small discs around the scan's points.

    Attributes:
        points: (n, 3) float64 world points.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing, world units.
        noise: standard deviation of the points about the surface, world units.
        colors: (n, 3) uint8 RGB, or None.
    """

    points: np.ndarray
    normals: np.ndarray
    spacing: np.ndarray
    noise: float
    colors: np.ndarray | None = None

    @property
    def median_spacing(self) -> float:
        """Median of ``spacing``."""
        return float(np.median(self.spacing))

    def radii(self, spacings: float) -> np.ndarray:
        """(n,) radius of each point's disc: ``spacings`` local spacings, of which none counts above 3 median ones."""
        return spacings * np.minimum(self.spacing, MAX_RADIUS_SPACINGS * self.median_spacing)

    def thickness(self, sigmas: float) -> np.ndarray:
        """(n,) half thickness of each disc: ``sigmas`` deviations of the noise, or a fifth of the local spacing."""
        return np.maximum(sigmas * self.noise, OFFSET_SPACINGS * self.spacing)


def measured_support(mesh: TriangleMesh, support: Support, spacings: float, sigmas: float) -> np.ndarray:
    """How many of the discs of its 8 nearest points each vertex lies on: (v,) int.

    A vertex lies on a disc if it is within the disc's radius along it, within its half thickness across it, and its
    normal is within 60 degrees of the disc's. A sheet that closes a gap leaves the discs at once, because it turns
    away from them.

    Args:
        mesh: with vertex normals.
        support: the scan.
        spacings: disc radius in local point spacings.
        sigmas: half thickness of the discs in standard deviations of the noise.
    """
    assert mesh.normals is not None
    tree = KDTree(support.points)
    radii, thickness = support.radii(spacings), support.thickness(sigmas)
    counts = np.empty(len(mesh.vertices), np.int64)
    for i in range(0, len(counts), CHUNK):
        part = slice(i, i + CHUNK)
        gap, index = nearest_points(tree, mesh.vertices[part], NEIGHBOURS)
        across, cosine = against_discs(mesh.vertices[part], mesh.normals[part], support, index)
        along = np.sqrt(np.maximum(gap**2 - across**2, 0.0))
        counts[part] = ((along <= radii[index]) & (across <= thickness[index]) & (cosine >= MIN_COSINE)).sum(1)
    return counts


def bridges_gap(mesh: TriangleMesh, support: Support, gap_spacings: float, sigmas: float) -> np.ndarray:
    """(v,) bool: vertices in small gaps of the scan, such as those between two lines of a rotating scanner.

    Such a vertex has points around it on every side (no open angle above 150 degrees) within ``gap_spacings`` median
    spacings, all of them with discs that it continues: in their plane to within the noise, and facing the same way.

    Args:
        mesh: with vertex normals; the vertices to judge.
        support: the scan.
        gap_spacings: how far points count, in median spacings; 0 bridges nothing.
        sigmas: half thickness of the discs in standard deviations of the noise.
    """
    assert mesh.normals is not None
    bridged = np.zeros(len(mesh.vertices), bool)
    spacing = support.median_spacing
    chosen = thin(support.points, GAP_THINNING * spacing)
    even = Support(support.points[chosen], support.normals[chosen], support.spacing[chosen], support.noise)
    tree, thickness = KDTree(even.points), even.thickness(sigmas)
    for i in range(0, len(bridged) if gap_spacings > 0 else 0, CHUNK):
        vertices, normals = mesh.vertices[i : i + CHUNK], mesh.normals[i : i + CHUNK]
        gap, index = nearest_points(tree, vertices, GAP_NEIGHBOURS)
        across, cosine = against_discs(vertices, normals, even, index)
        on = (gap <= gap_spacings * spacing) & (across <= thickness[index]) & (cosine >= MIN_COSINE)
        bridged[i : i + CHUNK] = _open_angle(even.points[index] - vertices[:, None], normals, on) <= MAX_OPEN_ANGLE
    return bridged


def relax_over_mesh(mesh: TriangleMesh, values: np.ndarray, rounds: int = RELAXATIONS) -> np.ndarray:
    """Averages vertex values (v,) or (v, k) with their neighbours' mean a few times; a threshold then cuts smoothly."""
    a, b = mesh.faces[:, [0, 1, 2]].ravel(), mesh.faces[:, [1, 2, 0]].ravel()
    size = len(mesh.vertices)
    links = coo_matrix((np.ones(2 * len(a), np.float32), (np.r_[a, b], np.r_[b, a])), (size, size)).tocsr()
    degree = np.maximum(np.asarray(links.sum(1)).reshape(-1, *[1] * (values.ndim - 1)), 1.0)
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (links @ values) / degree
    return values


def nearest_points(tree: KDTree, vertices: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances (m, k) and indices (m, k) of the k <= count nearest points."""
    ranks: Any = [*range(1, min(count, tree.n) + 1)]
    gap, index = tree.query(vertices, ranks, workers=-1)
    return np.asarray(gap), np.asarray(index)


def against_discs(
    vertices: np.ndarray, normals: np.ndarray, support: Support, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance across (m, k) and absolute cosine (m, k) of vertices (m, 3) and the discs ``index`` (m, k)."""
    across = np.abs(np.einsum("mkc,mkc->mk", vertices[:, None] - support.points[index], support.normals[index]))
    return across, np.abs(np.einsum("mkc,mc->mk", support.normals[index], normals))


def _open_angle(directions: np.ndarray, normals: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Largest angle (m,) free of counted directions (m, k, 3), around axes (m, 3); 360 degrees for fewer than three."""
    side = np.where(np.abs(normals[:, :1]) < 0.7, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    u = np.cross(normals, side)
    v = np.cross(normals, u)
    angle = np.arctan2(np.einsum("mkc,mc->mk", directions, v), np.einsum("mkc,mc->mk", directions, u))
    first = np.where(counted, angle, np.inf).min(1)
    angle = np.sort(np.where(counted, angle, first[:, None] + 2 * np.pi), axis=1)
    closed = np.concatenate([angle, first[:, None] + 2 * np.pi], axis=1)
    few = counted.sum(1) < 3
    closed[few] = 0.0
    return np.where(few, 2 * np.pi, np.diff(closed, axis=1).max(1))
