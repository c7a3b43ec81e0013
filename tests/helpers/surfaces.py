# SPDX-License-Identifier: MIT
"""Converts meshes from numpy arrays to tensors, for the tests."""

import torch

from fastsdf.geometry import TriangleMesh
from fastsdf.meshing import Surface


def as_surface(mesh: TriangleMesh, device: str = "cpu") -> Surface:
    """A mesh on a device, with its normals, colours and attributes."""
    normals, colors = (None if x is None else torch.tensor(x, device=device) for x in (mesh.normals, mesh.colors))
    attributes = {name: torch.tensor(values, device=device) for name, values in mesh.attributes.items()}
    vertices, faces = torch.tensor(mesh.vertices, device=device), torch.tensor(mesh.faces, device=device)
    return Surface(vertices, faces, normals, colors, attributes)
