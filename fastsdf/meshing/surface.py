# SPDX-License-Identifier: MIT
"""A triangle mesh on the device that works on it; `fastsdf.geometry.TriangleMesh` is its form in numpy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from fastsdf.geometry import TriangleMesh


@dataclass(frozen=True)
class Surface:
    """A triangle mesh in world coordinates, all of it on one device.

    Attributes:
        vertices: (v, 3) float64.
        faces: (f, 3) int64 vertex indices; counter-clockwise seen from free space.
        normals: (v, 3) float64 unit vertex normals, or None.
        colors: (v, 3) uint8 RGB, or None.
        attributes: further values per vertex by name, (v,) each.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor | None = None
    colors: Tensor | None = None
    attributes: Mapping[str, Tensor] = field(default_factory=dict)

    def take(self, index: Tensor, faces: Tensor) -> "Surface":
        """The vertices of a mask or index tensor with all they carry, and faces (f, 3) that count in them."""
        return Surface(
            self.vertices[index],
            faces,
            None if self.normals is None else self.normals[index],
            None if self.colors is None else self.colors[index],
            {name: values[index] for name, values in self.attributes.items()},
        )

    def numpy(self) -> TriangleMesh:
        """The mesh in the memory of the host."""
        return TriangleMesh(
            self.vertices.cpu().numpy(),
            self.faces.cpu().numpy(),
            None if self.normals is None else self.normals.cpu().numpy(),
            None if self.colors is None else self.colors.cpu().numpy(),
            {name: values.cpu().numpy() for name, values in self.attributes.items()},
        )
