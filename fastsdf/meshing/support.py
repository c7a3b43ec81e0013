# SPDX-License-Identifier: MIT
"""Which part of a mesh the scan has measured, judged against each point's own spacing and the scan's noise."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.spatial import KDTree

from fastsdf.scan import TriangleMesh

NEIGHBOURS = 8
MIN_COSINE = 0.5
OFFSET_SPACINGS = 0.2
RELAXATIONS = 4
CHUNK = 1 << 18


@dataclass(frozen=True)
class Support:
    """Measured surface: small discs around the scan's points.

    Attributes:
        points: (n, 3) float64 world points.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing, world units.
        noise: standard deviation of the points about the surface, world units.
    """

    points: np.ndarray
    normals: np.ndarray
    spacing: np.ndarray
    noise: float

    def reach(self, spacings: float) -> np.ndarray:
        """(n,) radius of each point's disc, at most three times the median one."""
        return spacings * np.minimum(self.spacing, 3.0 * np.median(self.spacing))


def measured_support(mesh: TriangleMesh, support: Support, spacings: float, sigmas: float) -> np.ndarray:
    """How many of the 8 nearest discs each vertex lies on: (v,) int.

    A vertex lies on a disc if it is within ``spacings`` local spacings along the disc, within ``sigmas`` times the
    noise (or a fifth of the local spacing, for the surface's own curvature) across it, and its normal is within 60
    degrees of the disc's. A sheet that closes a gap leaves the discs at once, because it turns away from them.

    Args:
        mesh: with vertex normals.
        support: the scan.
        spacings: disc radius in local point spacings.
        sigmas: half thickness of the discs in standard deviations of the noise.
    """
    assert mesh.normals is not None
    tree = KDTree(support.points)
    radius = support.reach(spacings)
    thickness = np.maximum(sigmas * support.noise, OFFSET_SPACINGS * support.spacing)
    counts = np.empty(len(mesh.vertices), np.int64)
    k = min(NEIGHBOURS, len(support.points))
    for i in range(0, len(counts), CHUNK):
        vertices, normals = mesh.vertices[i : i + CHUNK], mesh.normals[i : i + CHUNK]
        gap, index = tree.query(vertices, [*range(1, k + 1)], workers=-1)
        across = np.abs(np.einsum("nkc,nkc->nk", vertices[:, None] - support.points[index], support.normals[index]))
        cosine = np.abs(np.einsum("nkc,nc->nk", support.normals[index], normals))
        along = np.sqrt(np.maximum(gap**2 - across**2, 0.0))
        on = (along <= radius[index]) & (across <= thickness[index]) & (cosine >= MIN_COSINE)
        counts[i : i + CHUNK] = on.sum(1)
    return counts


def relax_over_mesh(mesh: TriangleMesh, values: np.ndarray, rounds: int = RELAXATIONS) -> np.ndarray:
    """Averages vertex values (v,) with their neighbours' mean a few times, so that a threshold cuts a smooth line."""
    a, b = mesh.faces[:, [0, 1, 2]].ravel(), mesh.faces[:, [1, 2, 0]].ravel()
    size = len(mesh.vertices)
    links = coo_matrix((np.ones(2 * len(a), np.float32), (np.r_[a, b], np.r_[b, a])), (size, size)).tocsr()
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1.0)
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (links @ values) / degree
    return values
