# SPDX-License-Identifier: MIT
"""The basic data types: point cloud, triangle mesh and distance grid, as plain arrays in world coordinates."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np


@dataclass(frozen=True)
class PointCloud:
    """A scan in world coordinates.

    Attributes:
        points: (n, 3) float64, metres; in the file's own units if these are unknown.
        normals: (n, 3) float64 unit vectors, zero where a point has none; or None.
        colors: (n, 3) uint8 RGB, or None.
        sensors: (n, 3) float64 position of the sensor that measured each point, or None; the segment from the sensor to
            the point is free space.
        notes: messages about the file for the report, such as how many points were dropped and why.
        views: (n,) int64 index of the view (scan or frame) that measured each point, or None; refers to a pose file.
        crs: coordinate reference system of the file, as well-known text or ``EPSG:code``; None if the file has none.
        units: units of the file's coordinates, before they were converted to metres.
        times: (n,) float64 time of measurement of each point in seconds, or None; refers to a trajectory.

    >>> import fastsdf, numpy as np
    >>> cloud = fastsdf.PointCloud(np.zeros((4, 3)), sensors=np.tile([0.0, 0.0, 1.5], (4, 1)))
    >>> len(cloud.select(np.array([0, 2])))
    2
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
        """The points of a boolean mask or an index array, with all their attributes."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v[index] for k, v in values.items() if isinstance(v, np.ndarray)})


@dataclass(frozen=True)
class TriangleMesh:
    """A triangle mesh in world coordinates.

    Attributes:
        vertices: (v, 3) float64.
        faces: (f, 3) int64 vertex indices, counter-clockwise as seen from free space: face normals point into the air.
        normals: (v, 3) float64 unit vertex normals, or None.
        colors: (v, 3) uint8 RGB, or None.
        attributes: further values per vertex, name -> (v,), such as ``confidence``.

    >>> import fastsdf, numpy as np
    >>> mesh = fastsdf.TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    >>> up = np.eye(4)
    >>> up[2, 3] = 10.0
    >>> mesh.moved(up).vertices[:, 2].tolist()
    [10.0, 10.0, 11.0]
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def take(self, index: np.ndarray, faces: np.ndarray) -> "TriangleMesh":
        """A mesh of selected vertices.

        Args:
            index: boolean mask or index array of the vertices to keep, with their normals, colours and attributes.
            faces: (f, 3) indices into the kept vertices.
        """
        return TriangleMesh(
            self.vertices[index],
            faces,
            None if self.normals is None else self.normals[index],
            None if self.colors is None else self.colors[index],
            {name: values[index] for name, values in self.attributes.items()},
        )

    def moved(self, matrix: np.ndarray) -> "TriangleMesh":
        """The mesh transformed by a similarity (4, 4): rotation, scale and translation."""
        if np.array_equal(matrix, np.eye(4)):
            return self
        rotation = matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))
        normals = None if self.normals is None else self.normals @ rotation.T
        return replace(self, vertices=self.vertices @ matrix[:3, :3].T + matrix[:3, 3], normals=normals)


BLOCK = 8  # nodes per axis of a block of a sparse grid; OpenVDB's leaf nodes have the same size


@dataclass(frozen=True)
class DistanceGrid:
    """Signed distances on a lattice whose node (i, j, k) lies at ``origin_m + voxel_size_m * (i, j, k)``.

    The grid is dense, or a narrow band of blocks around the surface.

    Attributes:
        origin_m: (3,) float64 world position of node (0, 0, 0).
        voxel_size_m: distance between neighbouring nodes.
        values: float32 in world units, positive in free space and negative in solid; (nx, ny, nz) for a dense grid,
            (b, 8, 8, 8) for blocks.
        blocks: (b, 3) int32 index of the first node of each block; None for a dense grid.
        band_m: half the width of the band: every node closer to the surface is in a block; None for a dense grid.

    >>> import fastsdf, numpy as np
    >>> grid = fastsdf.DistanceGrid(np.zeros(3), 0.05, np.zeros((2, 3, 4), np.float32))
    >>> (grid.origin_m + grid.voxel_size_m * np.array([1, 2, 3])).round(2).tolist()  # the last node
    [0.05, 0.1, 0.15]
    """

    origin_m: np.ndarray
    voxel_size_m: float
    values: np.ndarray
    blocks: np.ndarray | None = None
    band_m: float | None = None
