# SPDX-License-Identifier: MIT
"""A mesh for the tests of writers, near the origin or at large coordinates."""

import numpy as np
import trimesh

from fastsdf.geometry import TriangleMesh

UTM = np.array([4e5, 5e6, 100.0])  # metres; typical UTM coordinates


def sphere(offset=0.0, attributes=True):
    """A sphere with radius 3.21 around ``offset``, with or without normals and colours."""
    source = trimesh.creation.icosphere(subdivisions=2, radius=3.21)
    normals = source.vertices / np.linalg.norm(source.vertices, axis=1, keepdims=True)
    colors = np.random.default_rng(0).integers(0, 256, source.vertices.shape).astype(np.uint8)
    vertices = np.asarray(source.vertices) + offset
    return TriangleMesh(vertices, np.asarray(source.faces), *((normals, colors) if attributes else ()))
