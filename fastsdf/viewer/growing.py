# SPDX-License-Identifier: MIT
"""The surface while it is trained: a coarse mesh now and then, only while somebody looks."""

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
from fastsdf.spatial.voxel_downsample import even_subset, evenly
from fastsdf.training.loop import Progress
from fastsdf.training.session import Session
from fastsdf.viewer.coloring import POINT_COLOR, by_normal
from fastsdf.viewer.content import MOST_POINTS, preview_voxel_m
from fastsdf.viewer.places import places
from fastsdf.viewer.server import Server
from fastsdf.viewer.stage import Stage, point_size_m

PREVIEW_FACES = 40_000
MOST_SHARE = 0.02
REACH_VOXELS = 1.5


class GrowingSurface:
    """Shows the scan at once, and the surface of the field each time that it is called, if that is due.

    After a picture that took t seconds none is made for t / 2% seconds, and none while no browser is connected. Nothing
    random is drawn: the fit is the same with and without it.

    Args:
        server: where it is shown.
        session: a fit at any step.

    Attributes:
        pictures, seconds: how many it made, and the time that they took from the training.
    """

    def __init__(self, server: Server, session: Session):
        self._session, self._server, self._due = session, server, 0.0
        self.pictures, self.seconds = 0, 0.0
        fitted = FittedField.from_session(session)
        self._voxel_size_m = preview_voxel_m(fitted, PREVIEW_FACES)
        self._index = _thinned(fitted, self._voxel_size_m)
        scene = make_scene(fitted, points_as_mesh(fitted), "z")
        self._stage = Stage(server, storage_offset(fitted.support.points))
        self._stage.start_at(places(scene)[0], float(np.linalg.norm(scene.box.upper - scene.box.lower)))
        self._text, self._bar = self._add_panel(fitted)
        self._show_scan(fitted)

    def __call__(self, progress: Progress) -> None:
        """Makes a picture if it is due; for `fastsdf.training.loop.train`."""
        began = time.monotonic()
        if began < self._due or not self._server.get_clients():
            return
        self.show(progress)
        now = time.monotonic()
        self.pictures += 1
        self.seconds += now - began
        self._due = now + (now - began) * (1 / MOST_SHARE - 1)

    def show(self, progress: Progress) -> None:
        """Shows the surface as it is."""
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
            return  # no surface near the scan yet, or none that could be made: looking never stops a fit
        assert mesh.normals is not None
        self._stage.show_mesh(mesh, by_normal(mesh.normals))

    @torch.no_grad()
    def surface(self, levels: float) -> TriangleMesh:
        """The zero set of the first ``levels`` levels near the scan, in coarse triangles.

        Raises:
            MeshingError: if there is none.
        """
        fitted, points = FittedField.from_session(self._session), self._index.points
        now = replace(fitted, levels=levels)
        reach_m = REACH_VOXELS * self._voxel_size_m
        found = extract_surface(now.sdf, points, voxel_size=self._voxel_size_m, support_distance=reach_m)
        near = self._index.query(found.vertices, 1)[0][:, 0] <= reach_m
        return keep_faces(found, near[found.faces].all(dim=1)).numpy()

    def _add_panel(self, fitted: FittedField) -> tuple[Any, Any]:
        gui = self._server.gui
        gui.add_markdown(f"**{scan_name(fitted)}**: training")
        text, bar = gui.add_markdown("The first surface comes soon."), gui.add_progress_bar(0.0)
        for part in ("mesh", "scan"):
            box = gui.add_checkbox(part.capitalize(), True)
            box.on_update(lambda _, part=part, box=box: self._stage.set_visible(part, box.value))
        return text, bar

    def _show_scan(self, fitted: FittedField) -> None:
        support = fitted.support
        shown = evenly(len(support.points), MOST_POINTS)
        plain = np.full((len(shown), 3), POINT_COLOR, dtype=np.uint8)
        colors = plain if support.colors is None else support.colors[shown]
        self._stage.show_points(support.points[shown], colors, point_size_m(support.median_spacing))


def points_as_mesh(fitted: FittedField) -> TriangleMesh:
    """The scan's points as a mesh without faces, for choosing views before there is one."""
    return TriangleMesh(fitted.support.points, np.empty((0, 3), np.int64))


def _thinned(fitted: FittedField, edge_m: float) -> PointIndex:
    """The scan's points, one per cube, on the device of the field."""
    device = next(fitted.field.parameters()).device
    points = torch.as_tensor(fitted.support.points, dtype=torch.float64, device=device)
    return point_index(points[even_subset(points, edge_m)])
