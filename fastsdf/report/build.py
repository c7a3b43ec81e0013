# SPDX-License-Identifier: MIT
"""Builds the report of a run: all pictures, charts and tables of a fitted field and its mesh."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.meshing.attributes import CONFIDENCE
from fastsdf.model import FittedField
from fastsdf.rendering.pictures import draw, without_back_faces, without_ceiling
from fastsdf.rendering.scene import Scene, make_scene, scan_name
from fastsdf.rendering.sections import field_section, map_from_above
from fastsdf.rendering.viewpoints import cameras_in_air, candidate_eyes, overhead_camera
from fastsdf.report import plots, tables
from fastsdf.report.content import Chapter, Picture
from fastsdf.report.figures import encode_jpeg
from fastsdf.report.page import render

SCALE_QUANTILE = 0.95  # of the residuals, at which the colour scale ends; chosen: outliers do not stretch the scale


def build_report(fitted: FittedField, mesh: TriangleMesh, report: Mapping[str, Any], up: str = "z") -> str:
    """Build the report of a run.

    Args:
        fitted: the field of the run.
        mesh: the mesh of the run.
        report: content of run.json; empty if the run has none.
        up: the axis of the scan that points up (`fastsdf.rendering.scene.check_up`).

    Returns:
        The HTML text.
    """
    scene = make_scene(fitted, mesh, up)
    residuals_mm = 1e3 * np.abs(scene.field(scene.points))
    residual = {"median": float(np.median(residuals_mm)), "mean": float(residuals_mm.mean())}
    chapters = [
        _views(scene),
        _sections(scene),
        _training(fitted),
        _confidence(scene),
        _residual(scene, residuals_mm),
        _metrics(fitted, mesh, report, residual),
        Chapter("settings", "Settings", tables=tables.settings_tables(fitted.config.model_dump(mode="json"))),
    ]
    return render(f"{scan_name(fitted)}: fastsdf report", _headline(fitted, mesh, report, residual), chapters)


def _headline(
    fitted: FittedField, mesh: TriangleMesh, report: Mapping[str, Any], residual: Mapping[str, float]
) -> list[tuple[str, str]]:
    facts, total_s = fitted.scan.facts, report.get("seconds", {}).get("total", fitted.seconds)
    return [
        ("points", f"{facts['points']:,}"),
        ("extent", " x ".join(f"{side:.1f}" for side in facts["extent_m"]) + " m"),
        ("faces", f"{len(mesh.faces):,}"),
        ("median |u| at the points", f"{residual['median']:.2f} mm"),
        ("steps", f"{fitted.step:,}"),
        ("time", f"{total_s:.1f} s"),
    ]


def _views(scene: Scene) -> Chapter:
    low = without_ceiling(scene.mesh)
    above = overhead_camera(low.vertices.min(0), low.vertices.max(0))
    pictures = [
        Picture("From above, without the ceiling", encode_jpeg(draw(without_back_faces(low, above.eye), above)))
    ]
    cameras = cameras_in_air(scene.clearance, *scene.camera_box, scene.mesh, scene.target)
    for number, camera in enumerate(cameras, 1):
        x, y, z = camera.eye @ scene.axes
        caption = f"{'Inside' if scene.target is None else 'Outside'}, view {number} from ({x:.2f}, {y:.2f}, {z:.2f})"
        pictures.append(Picture(caption, encode_jpeg(draw(scene.mesh, camera))))
    text = (
        "The mesh, lit from the camera. The view from above leaves out the faces that look away from the camera. Brick "
        f"red is the back of a surface, as seen from inside a solid. The scan's {scene.names[2]} axis points up; "
        "report --up changes it."
    )
    return Chapter("views", "Views", text, tuple(pictures))


def _sections(scene: Scene) -> Chapter:
    extent = scene.box.upper - scene.box.lower
    center = candidate_eyes(scene.clearance, *scene.camera_box, 1)[0] if scene.target is None else scene.target
    vertical = 1 if extent[0] >= extent[1] else 0
    pictures = []
    for axis, name in ((2, "Horizontal"), (vertical, "Vertical")):
        section = field_section(scene.field, scene.box, axis, float(center[axis]), scene.names)
        pictures.append(Picture(f"{name} section at {section.plane} m", plots.field_chart(section)))
    text = "The signed distance u is positive (red) in the air and negative (blue) in solids; the black line is u = 0."
    return Chapter("sections", "Sections of the field", text, tuple(pictures))


def _training(fitted: FittedField) -> Chapter:
    history, half_extent_m, rate = fitted.history, fitted.transform.half_extent_m, fitted.config.training.rate
    if not history:
        return Chapter("training", "Training", "This run has no training history.")
    pictures = (
        Picture("Distance terms of the loss", plots.distance_losses(history, half_extent_m)),
        Picture("Other terms of the loss", plots.other_losses(history)),
        Picture("Viscosity and step size of the finite differences", plots.schedules(history, half_extent_m)),
        Picture("Learning rates", plots.learning_rates(history, {"grid": rate.grid, "network": rate.network})),
    )
    return Chapter("training", "Training", "Unweighted means over the steps between two log entries.", pictures)


def _confidence(scene: Scene) -> Chapter:
    values = scene.mesh.attributes.get(CONFIDENCE)
    if values is None:
        return Chapter("confidence", "Confidence", "The mesh has no confidence per vertex.")
    chart = plots.map_chart(map_from_above(scene.mesh.vertices, values, scene.names), "mean confidence", (0.0, 1.0))
    text = "The confidence of the mesh vertices, averaged over each vertical column."
    return Chapter("confidence", "Confidence", text, (Picture("Confidence of the vertices from above", chart),))


def _residual(scene: Scene, residuals_mm: np.ndarray) -> Chapter:
    limit = max(float(np.quantile(residuals_mm, SCALE_QUANTILE)), 1e-6)
    pictures = (
        Picture("Histogram of |u| at the scan points", plots.residual_histogram(residuals_mm)),
        Picture(
            "|u| at the scan points from above",
            plots.map_chart(map_from_above(scene.points, residuals_mm, scene.names), "mean |u| [mm]", (0.0, limit)),
        ),
    )
    text = f"The distance of the surface to {len(scene.points):,} scan points, which are smoothed as for the fit."
    return Chapter("residual", "Residual", text, pictures)


def _metrics(
    fitted: FittedField, mesh: TriangleMesh, report: Mapping[str, Any], residual: Mapping[str, float]
) -> Chapter:
    counts = {"vertices": len(mesh.vertices), "faces": len(mesh.faces)}
    seconds = report.get("seconds", {"training": fitted.seconds})
    shown = (
        tables.metrics_table({**report.get("metrics", {}), **counts}, residual),
        tables.timings_table(seconds, report.get("peak_memory_gib", {})),
        tables.scan_table(fitted.scan.facts),
        tables.machine_table(report),
    )
    return Chapter("metrics", "Metrics", tables=shown)
