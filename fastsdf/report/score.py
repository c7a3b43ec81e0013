# SPDX-License-Identifier: MIT
"""The page of a score: where a mesh is off its reference, and where it misses some of it."""

from pathlib import Path

import numpy as np

from fastsdf.evaluation import Metrics, protocol_named, rows
from fastsdf.evaluation.sides import Side
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
from fastsdf.report.figures import photograph
from fastsdf.report.page import render
from fastsdf.report.score_scene import ScoredScene, make_scored_scene
from fastsdf.report.tables import scores_table
from fastsdf.report.worst import APART_SHARE, Place, worst_places

UNASKED_TEXT = " Grey is surface that no observed point is near: it is not asked for."


def build_score(
    mesh: TriangleMesh,
    reference: Surface,
    observed: PointCloud | None,
    metrics: Metrics,
    names: tuple[str, str],
    up: str = "z",
) -> str:
    """The HTML text of a score's page.

    Args:
        mesh, reference, observed: what was compared, in the world.
        metrics: of `fastsdf.evaluation.evaluate` for them.
        names: of mesh and reference.
        up: the world's axis that points up (`fastsdf.rendering.scene.check_up`).
    """
    scene = make_scored_scene(mesh, reference, observed, metrics, up)
    chapters = [_accuracy(scene), _completeness(scene), _worst(scene), _figures(scene, names)]
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
    side, reach = scene.precise, scene.reach(scene.precise.distance)
    drawn = ErrorMap(scene.mesh, distance_to(scene.reference), reach, 0.0)
    text = "The mesh, coloured by its distance to the reference. Dark red is wrong or invented."
    if scene.inside_out:
        text += " The mesh is inside out against the reference; it is drawn turned over."
    return Chapter("accuracy", "Accuracy", text, (_histogram(scene, side, reach, "of the mesh"), *_maps(scene, drawn)))


def _completeness(scene: ScoredScene) -> Chapter:
    side, reach = scene.recalled, scene.reach(scene.recalled.distance)
    surface = scene.reference if isinstance(scene.reference, TriangleMesh) or not scene.observed else scene.observed
    what = "observed points, coloured by their" if surface is scene.observed else "reference, coloured by its"
    text = f"The {what} distance to the mesh. Dark red is missing."
    if isinstance(surface, PointCloud):
        surface = thinned(surface)
    spacing = _spacing(scene, surface if isinstance(surface, PointCloud) else scene.observed)
    drawn = ErrorMap(surface, _distance_to_mesh(scene, surface, spacing), reach, spacing)
    if isinstance(surface, TriangleMesh) and scene.observed:
        text += UNASKED_TEXT
    histogram = _histogram(scene, side, reach, "of what is to be found")
    return Chapter("completeness", "Completeness", text, (histogram, *_maps(scene, drawn)))


def _distance_to_mesh(scene: ScoredScene, surface: Surface, spacing: float) -> Distance:
    if isinstance(surface, PointCloud):
        return distance_at_points(scene.mesh, surface.points)
    if scene.observed:
        return distance_where_observed(scene.mesh, scene.observed, spacing)
    return distance_to(scene.mesh)


def _spacing(scene: ScoredScene, points: PointCloud | None) -> float:
    """Side of the square that each point stands for if they cover the mesh's area, metres."""
    return 0.0 if points is None else float(np.sqrt(scene.metrics.area / len(points)))


def _maps(scene: ScoredScene, drawn: ErrorMap) -> list[Picture]:
    pictures = [Picture("From above, without the ceiling", photograph(drawn.from_above(overhead_camera)))]
    for number, camera in enumerate(scene.cameras, 1):
        x, y, z = camera.eye @ scene.axes
        where = "Outside" if scene.is_object else "Inside"
        pictures.append(
            Picture(f"{where}, view {number} from ({x:.2f}, {y:.2f}, {z:.2f})", photograph(drawn.inside(camera)))
        )
    return pictures


def _histogram(scene: ScoredScene, side: Side, reach: float, whose: str) -> Picture:
    limits_mm = [1e3 * limit for limit in scene.metrics.thresholds if limit < reach]
    chart = plots.error_histogram(1e3 * side.distance, 1e3 * reach, limits_mm, error_colors)
    beyond = 100 * float((side.distance > reach).mean())
    caption = (
        f"Distances {whose}, {len(side.distance):,} samples, in the colours of the pictures; "
        f"{beyond:.2f} % beyond {1e3 * reach:g} mm, in the last bar"
    )
    return Picture(caption, chart)


def _worst(scene: ScoredScene) -> Chapter:
    extent = float(np.linalg.norm(np.ptp(scene.precise.points, axis=0)))
    radius, limit = APART_SHARE * extent, scene.metrics.thresholds[0]
    pictures, tables = [], []
    for side, what in ((scene.precise, "Wrong or invented"), (scene.recalled, "Missing")):
        places = worst_places(side.points, side.distance, limit, radius)
        marks = np.array([place.position for place in places]).reshape(-1, 3)
        section = map_from_above(side.points, 1e3 * side.distance, scene.names)
        chart = plots.map_chart(section, "mean distance [mm]", (0.0, 1e3 * scene.reach(side.distance)), marks)
        pictures.append(Picture(f"{what}: mean distance over each column, and the places of the table", chart))
        tables.append(_places_table(scene, what, places, limit))
    text = (
        f"The farthest samples that are at least {radius:.2f} m from each other, in the coordinates of the files, and "
        f"the share of all samples within that distance of each that is off by more than {1e3 * limit:g} mm."
    )
    return Chapter("worst", "Worst places", text, tuple(pictures), tuple(tables))


def _places_table(scene: ScoredScene, what: str, places: list[Place], limit: float) -> Table:
    found = []
    for number, place in enumerate(places, 1):
        x, y, z = place.position @ scene.axes
        value = f"{1e3 * place.distance:.0f} mm; {100 * place.share:.2g} % beyond {1e3 * limit:g} mm"
        found.append((f"{number}: ({x:.2f}, {y:.2f}, {z:.2f})", value, ""))
    return Table(what, found or [("none", f"all within {1e3 * limit:g} mm", "")])


def _figures(scene: ScoredScene, names: tuple[str, str]) -> Chapter:
    metrics = scene.metrics
    rules = protocol_named(metrics.protocol)
    compared = Table(
        "Compared",
        [
            ("mesh", names[0], ""),
            ("reference", f"{names[1]} ({metrics.reference_kind})", ""),
            ("recall side", metrics.recall_kind, ""),
            ("samples", f"{metrics.samples:,} of the mesh, {metrics.recall_samples:,} of the recall side", ""),
            ("seed", str(metrics.seed), ""),
            ("protocol", f"{rules.name}: {rules.description}", ""),
            ("Chamfer", rules.chamfer, ""),
        ],
    )
    return Chapter("figures", "Figures", tables=(scores_table(rows(metrics)), compared))
