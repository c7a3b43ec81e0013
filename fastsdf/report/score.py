# SPDX-License-Identifier: MIT
"""Builds the page of an evaluation: where a mesh deviates from its reference, and where parts are missing."""

from pathlib import Path

import numpy as np

from fastsdf.evaluation import Metrics, protocol_named, rows
from fastsdf.evaluation.directed_distances import DirectedDistances
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.rendering.sections import map_from_above
from fastsdf.rendering.viewpoints import overhead_camera
from fastsdf.report import plots
from fastsdf.report.content import Chapter, Picture, Table
from fastsdf.report.error_maps import (
    Distance,
    ErrorMap,
    Surface,
    distance_at_points,
    distance_to,
    distance_where_observed,
    error_colors,
    thinned,
)
from fastsdf.report.figures import encode_jpeg
from fastsdf.report.page import render
from fastsdf.report.score_scene import ScoredScene, make_scored_scene
from fastsdf.report.tables import scores_table
from fastsdf.report.worst import SEPARATION_SHARE, ErrorLocation, worst_locations

# Added to captions where --observed was given.
UNOBSERVED_TEXT = " Grey is surface without an observed point nearby; it is not scored."


def build_score(
    mesh: TriangleMesh,
    reference: Surface,
    observed: PointCloud | None,
    metrics: Metrics,
    names: tuple[str, str],
    up: str = "z",
) -> str:
    """Build the page of an evaluation.

    Args:
        mesh, reference, observed: the compared surfaces, world coordinates.
        metrics: result of `fastsdf.evaluation.evaluate` for them.
        names: file names of the mesh and the reference.
        up: the world axis that points up (`fastsdf.rendering.scene.check_up`).

    Returns:
        The HTML text.
    """
    scene = make_scored_scene(mesh, reference, observed, metrics, up)
    chapters = [_accuracy(scene), _completeness(scene), _worst(scene), _metrics(scene, names)]
    return render(f"{Path(names[0]).name} against {Path(names[1]).name}", _headline(scene), chapters)


def _headline(scene: ScoredScene) -> list[tuple[str, str]]:
    metrics = scene.metrics
    return [
        ("Chamfer L1", f"{1e3 * metrics.chamfer_l1:.2f} mm"),
        (f"F at {1e3 * metrics.thresholds[0]:g} mm", f"{100 * metrics.f_score[0]:.1f} %"),
        ("accuracy", f"{1e3 * metrics.accuracy:.2f} mm"),
        ("completeness", f"{1e3 * metrics.completeness:.2f} mm"),
        ("hallucinated", f"{100 * metrics.hallucinated_share:.2f} %"),
        ("faces", f"{metrics.faces:,}"),
    ]


def _accuracy(scene: ScoredScene) -> Chapter:
    side, scale_end = scene.precision_distances, scene.scale_end(scene.precision_distances.distance)
    error_map = ErrorMap(scene.mesh, distance_to(scene.reference), scale_end, 0.0)
    text = "The mesh, coloured by its distance to the reference. Dark red surface is wrong or invented."
    if scene.inside_out:
        text += " The mesh is inside out relative to the reference; it is drawn with flipped faces."
    histogram = _histogram(scene, side, scale_end, "from the mesh to the reference")
    return Chapter("accuracy", "Accuracy", text, (histogram, *_maps(scene, error_map)))


def _completeness(scene: ScoredScene) -> Chapter:
    side, scale_end = scene.recall_distances, scene.scale_end(scene.recall_distances.distance)
    surface = scene.reference if isinstance(scene.reference, TriangleMesh) or not scene.observed else scene.observed
    what = "observed points, coloured by their" if surface is scene.observed else "reference, coloured by its"
    text = f"The {what} distance to the mesh. Dark red surface is missing from the mesh."
    if isinstance(surface, PointCloud):
        surface = thinned(surface)
    spacing = _spacing(scene, surface if isinstance(surface, PointCloud) else scene.observed)
    error_map = ErrorMap(surface, _distance_to_mesh(scene, surface, spacing), scale_end, spacing)
    if isinstance(surface, TriangleMesh) and scene.observed:
        text += UNOBSERVED_TEXT
    source = "observed points" if scene.observed else "reference"
    histogram = _histogram(scene, side, scale_end, f"from the {source} to the mesh")
    return Chapter("completeness", "Completeness", text, (histogram, *_maps(scene, error_map)))


def _distance_to_mesh(scene: ScoredScene, surface: Surface, spacing: float) -> Distance:
    if isinstance(surface, PointCloud):
        return distance_at_points(scene.mesh, surface.points)
    if scene.observed:
        return distance_where_observed(scene.mesh, scene.observed, spacing)
    return distance_to(scene.mesh)


def _spacing(scene: ScoredScene, points: PointCloud | None) -> float:
    """Edge of the square that each point covers if all points together cover the mesh's area, metres."""
    return 0.0 if points is None else float(np.sqrt(scene.metrics.area / len(points)))


def _maps(scene: ScoredScene, error_map: ErrorMap) -> list[Picture]:
    pictures = [Picture("From above, without the ceiling", encode_jpeg(error_map.from_above(overhead_camera)))]
    for number, camera in enumerate(scene.cameras, 1):
        x, y, z = camera.eye @ scene.axes
        where = "Outside" if scene.is_object else "Inside"
        pictures.append(
            Picture(f"{where}, view {number} from ({x:.2f}, {y:.2f}, {z:.2f})", encode_jpeg(error_map.inside(camera)))
        )
    return pictures


def _histogram(scene: ScoredScene, side: DirectedDistances, scale_end: float, direction: str) -> Picture:
    limits_mm = [1e3 * limit for limit in scene.metrics.thresholds if limit < scale_end]
    chart = plots.error_histogram(1e3 * side.distance, 1e3 * scale_end, limits_mm, error_colors)
    beyond = 100 * float((side.distance > scale_end).mean())
    caption = (
        f"Distances {direction} at {len(side.distance):,} samples, in the colours of the pictures. "
        f"The last bar holds the {beyond:.2f} % beyond {1e3 * scale_end:g} mm"
    )
    return Picture(caption, chart)


def _worst(scene: ScoredScene) -> Chapter:
    extent = float(np.linalg.norm(np.ptp(scene.precision_distances.points, axis=0)))
    radius, limit = SEPARATION_SHARE * extent, scene.metrics.thresholds[0]
    pictures, tables = [], []
    for side, what in ((scene.precision_distances, "Wrong or invented"), (scene.recall_distances, "Missing")):
        locations = worst_locations(side.points, side.distance, limit, radius)
        marks = np.array([location.position for location in locations]).reshape(-1, 3)
        section = map_from_above(side.points, 1e3 * side.distance, scene.names)
        chart = plots.map_chart(section, "mean distance [mm]", (0.0, 1e3 * scene.scale_end(side.distance)), marks)
        pictures.append(Picture(f"{what}: mean distance over each vertical column, and the table's locations", chart))
        tables.append(_locations_table(scene, what, locations, limit))
    text = (
        f"The samples with the largest distances that lie at least {radius:.2f} m apart, in the coordinates of the "
        f"files. For each, the percentage of all samples that lie within {radius:.2f} m of it and have a distance "
        f"of more than {1e3 * limit:g} mm."
    )
    return Chapter("worst", "Worst locations", text, tuple(pictures), tuple(tables))


def _locations_table(scene: ScoredScene, what: str, locations: list[ErrorLocation], limit: float) -> Table:
    found = []
    for number, location in enumerate(locations, 1):
        x, y, z = location.position @ scene.axes
        value = f"{1e3 * location.distance:.0f} mm; {100 * location.share:.2g} % beyond {1e3 * limit:g} mm"
        found.append((f"{number}: ({x:.2f}, {y:.2f}, {z:.2f})", value, ""))
    return Table(what, found or [("none", f"all within {1e3 * limit:g} mm", "")])


def _metrics(scene: ScoredScene, names: tuple[str, str]) -> Chapter:
    metrics = scene.metrics
    rules = protocol_named(metrics.protocol)
    compared = Table(
        "Compared",
        [
            ("mesh", names[0], ""),
            ("reference", f"{names[1]} ({metrics.reference_kind})", ""),
            ("recall measured on", metrics.recall_kind, ""),
            ("samples", f"{metrics.samples:,} of the mesh, {metrics.recall_samples:,} for recall", ""),
            ("seed", str(metrics.seed), ""),
            ("protocol", f"{rules.name}: {rules.description}", ""),
            ("Chamfer", rules.chamfer, ""),
        ],
    )
    return Chapter("metrics", "Metrics", tables=(scores_table(rows(metrics)), compared))
