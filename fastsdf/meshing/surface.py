# SPDX-License-Identifier: MIT
"""A triangle mesh of torch tensors on one device; `fastsdf.geometry.TriangleMesh` is its numpy counterpart."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from fastsdf.geometry import TriangleMesh


@dataclass(frozen=True)
class Surface:
    """A triangle mesh in world coordinates, with all tensors on one device.

    Attributes:
        vertices: (v, 3) float64.
        faces: (f, 3) int64 vertex indices; counter-clockwise seen from free space.
        normals: (v, 3) float64 unit vertex normals, or None.
        colors: (v, 3) uint8 RGB, or None.
        attributes: name -> (v,) further values per vertex.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor | None = None
    colors: Tensor | None = None
    attributes: Mapping[str, Tensor] = field(default_factory=dict)

    def take(self, index: Tensor, faces: Tensor) -> "Surface":
        """Selects vertices with their attributes by a mask or index tensor; ``faces`` (f, 3) index the selection."""
        return Surface(
            self.vertices[index],
            faces,
            None if self.normals is None else self.normals[index],
            None if self.colors is None else self.colors[index],
            {name: values[index] for name, values in self.attributes.items()},
        )

    def numpy(self) -> TriangleMesh:
        """Copies the mesh to numpy arrays on the host."""
        return TriangleMesh(
            self.vertices.cpu().numpy(),
            self.faces.cpu().numpy(),
            None if self.normals is None else self.normals.cpu().numpy(),
            None if self.colors is None else self.colors.cpu().numpy(),
            {name: values.cpu().numpy() for name, values in self.attributes.items()},
        )
