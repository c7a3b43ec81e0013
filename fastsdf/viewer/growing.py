# SPDX-License-Identifier: MIT
"""Shows the surface during training: coarse meshes at intervals, only while a browser is connected."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fastsdf.errors import FastSDFError
from fastsdf.geometry import TriangleMesh
from fastsdf.io.offsets import storage_offset
from fastsdf.meshing import extract_surface, keep_faces
from fastsdf.model import FittedField
from fastsdf.rendering.scene import make_scene, scan_name
from fastsdf.spatial.knn import PointIndex, point_index
from fastsdf.spatial.voxel_downsample import even_indices, even_subset
from fastsdf.training.loop import Progress
from fastsdf.training.session import Session
from fastsdf.viewer.camera_positions import camera_positions
from fastsdf.viewer.coloring import POINT_COLOR, by_normal
from fastsdf.viewer.content import MAX_POINTS, preview_voxel_m
from fastsdf.viewer.server import Server
from fastsdf.viewer.stage import Stage, point_size_m

PREVIEW_FACES = 40_000  # approximate number of faces of a preview; 0.14 s each on two CPU cores
MAX_TIME_SHARE = 0.02  # of the training time, spent on previews; chosen: not noticeable
SUPPORT_VOXELS = 1.5  # voxel sizes; faces farther from the scan are not shown; chosen, not swept


class GrowingSurface:
    """Shows the scan, and updates the surface of the field when called during training.

    After a preview that took t seconds, none is computed for 49 t, so previews take at most 2% of the training time.
    None is computed while no browser is connected. It draws no random numbers: the fit is bit-identical without it.

    Args:
        server: server that shows it.
        session: a fit at any step.

    Attributes:
        pictures: number of previews.
        seconds: time that the previews took from the training.
    """

    def __init__(self, server: Server, session: Session):
        self._session, self._server, self._due = session, server, 0.0
        self.pictures, self.seconds = 0, 0.0
        fitted = FittedField.from_session(session)
        self._voxel_size_m = preview_voxel_m(fitted, PREVIEW_FACES)
        self._index = _thinned_index(fitted, self._voxel_size_m)
        scene = make_scene(fitted, points_as_mesh(fitted), "z")
        self._stage = Stage(server, storage_offset(fitted.support.points))
        start = camera_positions(scene)[0]
        self._stage.set_initial_camera(start, float(np.linalg.norm(scene.box.upper - scene.box.lower)))
        self._text, self._bar = self._add_panel(fitted)
        self._show_scan(fitted)

    def __call__(self, progress: Progress) -> None:
        """Show a preview if one is due; passed as a callback to `fastsdf.training.loop.train`."""
        began = time.monotonic()
        if began < self._due or not self._server.get_clients():
            return
        self.show(progress)
        now = time.monotonic()
        self.pictures += 1
        self.seconds += now - began
        self._due = now + (now - began) * (1 / MAX_TIME_SHARE - 1)

    def show(self, progress: Progress) -> None:
        """Show the current surface."""
        half_extent_m = self._session.prepared.transform.half_extent_m
        residual_mm = 1e3 * half_extent_m * progress.terms["surface"]
        self._bar.value = 100 * progress.step / progress.total
        self._text.content = (
            f"step {progress.step:,} of {progress.total:,}, "
            f"levels {progress.settings.active_levels:.1f}, mean |u| on the scan {residual_mm:.1f} mm"
        )
        try:
            mesh = self.surface(progress.settings.active_levels)
        except FastSDFError:
            return  # There is no surface near the scan yet, or it cannot be extracted: this must not stop the fit.
        assert mesh.normals is not None
        self._stage.show_mesh(mesh, by_normal(mesh.normals))

    @torch.no_grad()
    def surface(self, levels: float) -> TriangleMesh:
        """A coarse mesh of the surface near the scan, for the first ``levels`` levels of the field.

        Raises:
            MeshingError: there is no surface near the scan.
        """
        fitted, points = FittedField.from_session(self._session), self._index.points
        current = replace(fitted, levels=levels)
        support_m = SUPPORT_VOXELS * self._voxel_size_m
        surface = extract_surface(current.sdf, points, voxel_size=self._voxel_size_m, support_distance=support_m)
        near = self._index.query(surface.vertices, 1)[0][:, 0] <= support_m
        return keep_faces(surface, near[surface.faces].all(dim=1)).numpy()

    def _add_panel(self, fitted: FittedField) -> tuple[Any, Any]:
        gui = self._server.gui
        gui.add_markdown(f"**{scan_name(fitted)}**: training")
        text, bar = gui.add_markdown("The first surface will appear soon."), gui.add_progress_bar(0.0)
        for part in ("mesh", "scan"):
            box = gui.add_checkbox(part.capitalize(), True)
            box.on_update(lambda _, part=part, box=box: self._stage.set_visible(part, box.value))
        return text, bar

    def _show_scan(self, fitted: FittedField) -> None:
        support = fitted.support
        shown = even_indices(len(support.points), MAX_POINTS)
        plain = np.full((len(shown), 3), POINT_COLOR, dtype=np.uint8)
        colors = plain if support.colors is None else support.colors[shown]
        self._stage.show_points(support.points[shown], colors, point_size_m(support.median_spacing))


def points_as_mesh(fitted: FittedField) -> TriangleMesh:
    """The points of the scan as a mesh without faces, for choosing cameras before a mesh exists."""
    return TriangleMesh(fitted.support.points, np.empty((0, 3), np.int64))


def _thinned_index(fitted: FittedField, edge_m: float) -> PointIndex:
    """An index over one point of the scan per cube of edge ``edge_m``, on the device of the field."""
    device = next(fitted.field.parameters()).device
    points = torch.as_tensor(fitted.support.points, dtype=torch.float64, device=device)
    return point_index(points[even_subset(points, edge_m)])
