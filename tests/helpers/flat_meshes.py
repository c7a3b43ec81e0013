# SPDX-License-Identifier: MIT
"""A flat mesh, and a scan of one part of it."""

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.prepare.prepared_scan import Support

SPACING = 0.02  # metres


def flat_mesh(size: int = 41, edge: float = 0.02, height: float = 0.0) -> TriangleMesh:
    """A square mesh in the plane z = height that starts at the origin and extends along +x and +y."""
    x, y = np.meshgrid(np.arange(size) * edge, np.arange(size) * edge, indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    lower = np.stack([corner, corner + size, corner + 1], axis=1)
    upper = np.stack([corner + 1, corner + size, corner + size + 1], axis=1)
    return TriangleMesh(vertices, np.concatenate([lower, upper]), np.tile([0.0, 0.0, 1.0], (len(vertices), 1)))


def half_scan(noise: float = 0.003, width: float = 0.4) -> Support:
    """Points 2 cm apart in the plane z = 0 with x <= width; the normals have random signs."""
    x, y = np.meshgrid(np.arange(0, width + 1e-9, SPACING), np.arange(0, 0.8 + 1e-9, SPACING), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    sign = np.random.default_rng(0).choice([-1.0, 1.0], len(points))
    return Support(points, sign[:, None] * [0.0, 0.0, 1.0], np.full(len(points), SPACING), noise)
