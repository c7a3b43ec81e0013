# SPDX-License-Identifier: MIT
"""The points, meshes, colours and sections of a run that the viewer shows; each is computed on first use."""

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
from fastsdf.spatial.voxel_downsample import even_indices
from fastsdf.viewer import coloring
from fastsdf.viewer.coloring import Coloring
from fastsdf.viewer.light import shaded
from fastsdf.viewer.planes import MIN_SCALE_M, Plane, plane_picture

MAX_POINTS, MAX_FACES = 500_000, 1_000_000  # shown; chosen: what a browser draws smoothly, not swept
LEVEL_FACES = 150_000  # approximate number of faces of a mesh of few levels; bounds the time, not swept
FACES_PER_VOXEL = 2.6  # faces per squared voxel size of surface (2 for an axis-aligned plane); estimated
ERROR_NEIGHBOURS = 8  # points whose mean distance colours a vertex; chosen, not swept
ERROR_SPACINGS = 3.0  # point spacings within which they must lie; chosen, not swept
LIMIT_QUANTILE = 0.95  # of the distances, at which the colour scale ends; chosen: outliers do not stretch the scale
SECTION_PIXELS = 640  # on the longer side; chosen: sharp in a browser window
# Texts of the menus.
AXES = ("x", "y", "z")
SCAN, ERROR, PLAIN, HELD_OUT = "scan", "distance of the scan", "plain", "held out"
CONFIDENT, INFERRED, NORMALS = "confidence", "measured or inferred", "normals"
SHADING, DATA_SHADING = {SCAN: 0.2, NORMALS: 0.25}, 0.4  # share of light that depends on the normal; chosen by eye


@dataclass(frozen=True)
class Content:
    """A run, with everything that has been computed from it for display.

    Attributes:
        fitted: field of the run.
        mesh: mesh of the run, simplified to at most 1,000,000 faces.
        faces: number of faces of the full mesh.
    """

    fitted: FittedField
    mesh: TriangleMesh
    faces: int
    _by_level: dict[int, TriangleMesh] = field(default_factory=dict)

    @cached_property
    def offset_m(self) -> np.ndarray:
        """(3,) offset subtracted from world coordinates to keep their precision in float32; zero if not needed."""
        return storage_offset(self.fitted.support.points)

    @property
    def levels(self) -> int:
        """Number of levels of the hash grid."""
        return self.fitted.field.spec.grid.num_levels

    @cached_property
    def shown(self) -> np.ndarray:
        """Indices (m,) of the shown points: at most 500,000, evenly spaced over their order."""
        return even_indices(len(self.fitted.support.points), MAX_POINTS)

    @cached_property
    def points_m(self) -> np.ndarray:
        """(m, 3) the shown points as measured; smoothed if the run keeps only the smoothed ones."""
        measured = self.fitted.scan.measured
        if measured is None:
            return self.fitted.support.points[self.shown]
        return self.fitted.transform.to_world(measured[self.shown])

    @cached_property
    def distances_m(self) -> np.ndarray:
        """(m,) distances of the shown points from the surface."""
        return np.abs(self.fitted.surface_distance(self.points_m))

    @cached_property
    def distance_limit_m(self) -> float:
        """End of the colour scale of distances: 95% of the points have a smaller distance."""
        return max(float(np.quantile(self.distances_m, LIMIT_QUANTILE)), MIN_SCALE_M)

    def mesh_coloring(self, mesh: TriangleMesh, name: str) -> Coloring:
        """Colours of a mesh with some shading; ``name`` is a key of `mesh_colorings`."""
        colors, legend = self.mesh_colorings[name](mesh)
        return Coloring(shaded(colors, normals_of(mesh), SHADING.get(name, DATA_SHADING)), legend)

    def level_mesh(self, count: int) -> TriangleMesh:
        """A coarse mesh of the field with only its first ``count`` levels; for all levels, the mesh of the run.

        Raises:
            MeshingError: the field of these levels has no surface near the scan.
        """
        if count >= self.levels:
            return self.mesh
        if count not in self._by_level:
            voxel_size_m = preview_voxel_m(self.fitted, LEVEL_FACES)
            self._by_level[count] = replace(self.fitted, levels=float(count)).extract_mesh(voxel_size_m)
        return self._by_level[count]

    @property
    def mesh_colorings(self) -> dict[str, Callable[[TriangleMesh], Coloring]]:
        """The colourings of meshes by name; the first one is the default."""
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
        """The colourings of the points by name; the first one is the default."""
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
        """Box of the scan, world coordinates."""
        transform = self.fitted.transform
        corners = transform.to_world(np.array([transform.lower, transform.upper]))
        return Box(*corners)

    def section(self, axis: int, position_m: float) -> Plane:
        """The section of the field perpendicular to a world axis, over the box of the scan."""
        section = field_section(self.fitted.sdf, self.box, axis, position_m, AXES, SECTION_PIXELS)
        return plane_picture(section, axis, position_m)

    def _distances_at(self, vertices: np.ndarray) -> np.ndarray:
        """(v,) mean distance from the surface of the shown points near each vertex; NaN if no point is near."""
        thinning = np.sqrt(len(self.fitted.support.points) / len(self.shown))
        radius_m = ERROR_SPACINGS * self.fitted.support.median_spacing * float(thinning)
        return mean_nearby(vertices, self.points_m, self.distances_m, radius_m)


def make_content(fitted: FittedField, mesh: TriangleMesh) -> Content:
    """Prepare a field and its mesh for display.

    Raises:
        InputError: the mesh is too large for a browser and fast-simplification is not installed.
    """
    shown = decimate(mesh, MAX_FACES) if len(mesh.faces) > MAX_FACES else mesh
    return Content(fitted, shown, len(mesh.faces))


def preview_voxel_m(fitted: FittedField, faces: int) -> float:
    """Voxel size at which the surface of the scan has about ``faces`` faces, but at least that of the run's mesh."""
    finest = fitted.config.mesh.voxel_size_m or 0.0
    return max(finest, float(np.sqrt(FACES_PER_VOXEL * fitted.scan.facts["area_m2"] / faces)))


def mean_nearby(queries: np.ndarray, points: np.ndarray, values: np.ndarray, radius: float) -> np.ndarray:
    """Average the values of the points near each query point.

    Args:
        queries: (m, 3) query points.
        points: (n, 3).
        values: (n,) values of the points.
        radius: maximum distance of a point that counts.

    Returns:
        (m,) mean over those of the 8 nearest points that lie within ``radius``; NaN if none does.
    """
    distance, index = point_index(torch.as_tensor(points)).query(torch.as_tensor(queries), ERROR_NEIGHBOURS)
    near = distance.numpy() <= radius
    count = near.sum(1)
    total = (near * values[index.numpy()]).sum(1)
    return np.divide(total, count, out=np.full(len(queries), np.nan), where=count > 0)


def _colors(mesh: TriangleMesh) -> np.ndarray:
    assert mesh.colors is not None
    return mesh.colors


def normals_of(mesh: TriangleMesh) -> np.ndarray:
    """(v, 3) unit normals of the vertices: those of the mesh, else the mean of the adjacent faces."""
    if mesh.normals is not None:
        return mesh.normals
    return vertex_normals(torch.as_tensor(mesh.vertices), torch.as_tensor(mesh.faces)).numpy()
