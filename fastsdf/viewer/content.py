# SPDX-License-Identifier: MIT
"""What the viewer shows of a run: points, meshes, colours and sections, each worked out when it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from fastsdf.geometry import TriangleMesh
from fastsdf.io.offsets import storage_offset
from fastsdf.meshing import decimate, vertex_normals
from fastsdf.meshing.attributes import CONFIDENCE, MEASURED
from fastsdf.model import FittedField
from fastsdf.rendering.scene import Box
from fastsdf.rendering.sections import field_section
from fastsdf.spatial.knn import point_index
from fastsdf.spatial.voxel_downsample import evenly
from fastsdf.viewer import coloring
from fastsdf.viewer.coloring import Coloring
from fastsdf.viewer.light import shaded
from fastsdf.viewer.planes import SMALLEST_SCALE_M, Plane, plane_picture

MOST_POINTS, MOST_FACES, LEVEL_FACES = 500_000, 1_000_000, 150_000
FACES_PER_VOXEL = 2.6  # of a surface, per squared voxel size
ERROR_NEIGHBOURS, ERROR_SPACINGS, LIMIT_QUANTILE = 8, 3.0, 0.95
SECTION_PIXELS = 640
AXES = ("x", "y", "z")
SCAN, ERROR, PLAIN, HELD_OUT = "scan", "distance of the scan", "plain", "held out"
CONFIDENT, INFERRED, NORMALS = "confidence", "measured or inferred", "normals"
SHADING, DATA_SHADING = {SCAN: 0.2, NORMALS: 0.25}, 0.4


@dataclass(frozen=True)
class Content:
    """A run with what has been worked out of it.

    Attributes:
        fitted: its field.
        mesh: its mesh, at most 1,000,000 faces.
        faces: how many its mesh has in full.
    """

    fitted: FittedField
    mesh: TriangleMesh
    faces: int
    _by_level: dict[int, TriangleMesh] = field(default_factory=dict)

    @cached_property
    def offset_m(self) -> np.ndarray:
        """(3,) what is taken from world coordinates, so that a browser's float32 holds them; zero for small ones."""
        return storage_offset(self.fitted.support.points)

    @property
    def levels(self) -> int:
        """Levels of the grid."""
        return self.fitted.field.spec.grid.num_levels

    @cached_property
    def shown(self) -> np.ndarray:
        """Indices (m,) of the points that are shown, at most 500,000, spread evenly over their order."""
        return evenly(len(self.fitted.support.points), MOST_POINTS)

    @cached_property
    def points_m(self) -> np.ndarray:
        """(m, 3) the shown points as they were measured, or smoothed where a run keeps only these."""
        measured = self.fitted.scan.measured
        if measured is None:
            return self.fitted.support.points[self.shown]
        return self.fitted.transform.to_world(measured[self.shown])

    @cached_property
    def distances_m(self) -> np.ndarray:
        """(m,) distances of the shown points from the zero set."""
        return np.abs(self.fitted.surface_distance(self.points_m))

    @cached_property
    def distance_limit_m(self) -> float:
        """Where the colours of distances end: 95% of the points lie nearer."""
        return max(float(np.quantile(self.distances_m, LIMIT_QUANTILE)), SMALLEST_SCALE_M)

    def mesh_coloring(self, mesh: TriangleMesh, name: str) -> Coloring:
        """The colours of a mesh, one of `mesh_colorings`, with some shading that shows its shape."""
        colors, legend = self.mesh_colorings[name](mesh)
        return Coloring(shaded(colors, normals_of(mesh), SHADING.get(name, DATA_SHADING)), legend)

    def level_mesh(self, count: int) -> TriangleMesh:
        """The mesh of the field with its first ``count`` levels: coarse, unless these are all.

        Raises:
            MeshingError: if these levels have no surface that the scan supports.
        """
        if count >= self.levels:
            return self.mesh
        if count not in self._by_level:
            voxel_size_m = preview_voxel_m(self.fitted, LEVEL_FACES)
            self._by_level[count] = replace(self.fitted, levels=float(count)).extract_mesh(voxel_size_m)
        return self._by_level[count]

    @property
    def mesh_colorings(self) -> dict[str, Callable[[TriangleMesh], Coloring]]:
        """How meshes of this run can be coloured, the first one to start with."""
        known: dict[str, Callable[[TriangleMesh], Coloring]] = {
            NORMALS: lambda mesh: Coloring(coloring.by_normal(normals_of(mesh))),
            ERROR: lambda mesh: coloring.by_distance(self._distances_at(mesh.vertices), self.distance_limit_m),
        }
        if {CONFIDENCE, MEASURED} <= set(self.mesh.attributes):
            known[CONFIDENT] = lambda mesh: coloring.by_confidence(mesh.attributes[CONFIDENCE])
            known[INFERRED] = lambda mesh: coloring.by_measured(mesh.attributes[MEASURED])
        if self.mesh.colors is None:
            return known
        return {SCAN: lambda mesh: Coloring(_colors(mesh)), **known}

    @property
    def scan_colorings(self) -> dict[str, Callable[[], Coloring]]:
        """How the points can be coloured, the first one to start with."""
        colors, held_out = self.fitted.support.colors, self.fitted.scan.held_out
        plain = np.full((len(self.shown), 3), coloring.POINT_COLOR, dtype=np.uint8)
        known: dict[str, Callable[[], Coloring]] = (
            {} if colors is None else {SCAN: lambda: Coloring(colors[self.shown])}
        )
        known[PLAIN] = lambda: Coloring(plain)
        known[ERROR] = lambda: coloring.by_distance(self.distances_m, self.distance_limit_m)
        if held_out is not None:
            known[HELD_OUT] = lambda: coloring.by_held_out(held_out[self.shown])
        return known

    @cached_property
    def box(self) -> Box:
        """Of the scan, world coordinates."""
        transform = self.fitted.transform
        corners = transform.to_world(np.array([transform.lower, transform.upper]))
        return Box(*corners)

    def section(self, axis: int, position_m: float) -> Plane:
        """The section of the field across an axis of the world, over the box of the scan."""
        section = field_section(self.fitted.sdf, self.box, axis, position_m, AXES, SECTION_PIXELS)
        return plane_picture(section, axis, position_m)

    def _distances_at(self, vertices: np.ndarray) -> np.ndarray:
        """(v,) mean distance of the shown points near each vertex from the zero set, NaN where there are none."""
        thinned = np.sqrt(len(self.fitted.support.points) / len(self.shown))
        reach_m = ERROR_SPACINGS * self.fitted.support.median_spacing * float(thinned)
        return mean_nearby(vertices, self.points_m, self.distances_m, reach_m)


def make_content(fitted: FittedField, mesh: TriangleMesh) -> Content:
    """What is shown of a field and its mesh.

    Raises:
        InputError: if the mesh is too large for a browser, and fast-simplification is missing.
    """
    shown = decimate(mesh, MOST_FACES) if len(mesh.faces) > MOST_FACES else mesh
    return Content(fitted, shown, len(mesh.faces))


def preview_voxel_m(fitted: FittedField, faces: int) -> float:
    """The voxel size at which the scan's surface has about so many faces; at least that of the fit's mesh."""
    finest = fitted.config.mesh.voxel_size_m or 0.0
    return max(finest, float(np.sqrt(FACES_PER_VOXEL * fitted.scan.facts["area_m2"] / faces)))


def mean_nearby(places: np.ndarray, points: np.ndarray, values: np.ndarray, reach: float) -> np.ndarray:
    """(m,) mean over the 8 points nearest to places (m, 3), of those within ``reach``; NaN where there are none."""
    apart, index = point_index(torch.as_tensor(points)).query(torch.as_tensor(places), ERROR_NEIGHBOURS)
    near = apart.numpy() <= reach
    count = near.sum(1)
    total = (near * values[index.numpy()]).sum(1)
    return np.divide(total, count, out=np.full(len(places), np.nan), where=count > 0)


def _colors(mesh: TriangleMesh) -> np.ndarray:
    assert mesh.colors is not None
    return mesh.colors


def normals_of(mesh: TriangleMesh) -> np.ndarray:
    """(v, 3) unit normals of the vertices; those of the file, or of the faces around each."""
    if mesh.normals is not None:
        return mesh.normals
    return vertex_normals(torch.as_tensor(mesh.vertices), torch.as_tensor(mesh.faces)).numpy()
