# SPDX-License-Identifier: MIT
"""What a scan, a mesh and a grid of distances are inside fastsdf: plain arrays in the scan's own world frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np


@dataclass(frozen=True)
class PointCloud:
    """A scan in world coordinates.

    Attributes:
        points: (n, 3) float64, metres (or, unstated, the scan's own units).
        normals: (n, 3) float64 unit vectors, or None.
        colors: (n, 3) uint8 RGB, or None.
        sensors: (n, 3) float64 position of the sensor that saw each point (the segment sensor -> point is free
            space), or None.
        notes: facts found while reading (rows dropped and why), for the report.
        views: (n,) int64 index of the view (scan, frame) that saw each point, for a file of poses; or None.
        crs: coordinate reference system of the file: well-known text or ``EPSG:code``; None: the file names none.
        units: of the file's coordinates, before they became metres.
        times: (n,) float64 seconds when each point was measured, for a trajectory; or None.
    """

    points: np.ndarray
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    sensors: np.ndarray | None = None
    notes: tuple[str, ...] = field(default=())
    views: np.ndarray | None = None
    crs: str | None = None
    units: str = "m"
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.points)

    def select(self, index: np.ndarray) -> "PointCloud":
        """The points of a boolean mask or an index array, with every attribute carried along."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v[index] for k, v in values.items() if isinstance(v, np.ndarray)})


@dataclass(frozen=True)
class TriangleMesh:
    """A triangle mesh in world coordinates.

    Attributes:
        vertices: (v, 3) float64.
        faces: (f, 3) int64 vertex indices; counter-clockwise seen from free space, so face normals point into the air.
        normals: (v, 3) float64 unit vertex normals, or None.
        colors: (v, 3) uint8 RGB, or None.
        attributes: further values per vertex by name, (v,) each, such as ``confidence``.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def take(self, index: np.ndarray, faces: np.ndarray) -> "TriangleMesh":
        """The vertices of a mask or index array with all they carry, and faces (f, 3) that count in them."""
        return TriangleMesh(
            self.vertices[index],
            faces,
            None if self.normals is None else self.normals[index],
            None if self.colors is None else self.colors[index],
            {name: values[index] for name, values in self.attributes.items()},
        )

    def moved(self, matrix: np.ndarray) -> "TriangleMesh":
        """The mesh under a similarity (4, 4): a rotation, a scale and a translation."""
        if np.array_equal(matrix, np.eye(4)):
            return self
        turn = matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))
        normals = None if self.normals is None else self.normals @ turn.T
        return replace(self, vertices=self.vertices @ matrix[:3, :3].T + matrix[:3, 3], normals=normals)


BLOCK = 8  # nodes per axis of a block of a sparse grid


@dataclass(frozen=True)
class DistanceGrid:
    """Signed distances on a lattice; node (i, j, k) lies at ``origin_m + voxel_size_m * (i, j, k)``.

    Attributes:
        origin_m: (3,) float64 world position of node (0, 0, 0).
        voxel_size_m: distance of neighbouring nodes.
        values: float32, positive in free space and negative in solid, in world units: (nx, ny, nz) of all nodes, or
            (b, 8, 8, 8) of the nodes of some blocks.
        blocks: (b, 3) int32 first node of each block, for a narrow band; None: ``values`` holds all nodes.
        band_m: every node closer to the surface than this is in a block; None: all nodes are there.
    """

    origin_m: np.ndarray
    voxel_size_m: float
    values: np.ndarray
    blocks: np.ndarray | None = None
    band_m: float | None = None
