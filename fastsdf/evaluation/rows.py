# SPDX-License-Identifier: MIT
"""Turns metrics into rows for a console table or an HTML page."""

from typing import Literal, NamedTuple

from fastsdf.evaluation.metrics import Metrics


class Row(NamedTuple):
    """One metric: ``value`` in ``unit``; ``better`` is the direction of improvement ("" if there is none)."""

    name: str
    value: float | int | bool | None
    unit: str
    better: Literal["up", "down", ""]


def rows(metrics: Metrics) -> list[Row]:
    """Returns the metrics in reading order: lengths in mm, shares in percent, areas in m^2."""
    return [*_distance_rows(metrics), *_threshold_rows(metrics), *_labelled_rows(metrics), *_surface_rows(metrics)]


def _distance_rows(m: Metrics) -> list[Row]:
    lengths = {
        "accuracy": m.accuracy,
        "accuracy, median": m.accuracy_median,
        "completeness": m.completeness,
        "completeness, median": m.completeness_median,
        "Chamfer L1": m.chamfer_l1,
        "Hausdorff": m.hausdorff,
        "Hausdorff 95%": m.hausdorff95,
    }
    squared = Row("Chamfer L2 squared", 1e6 * m.chamfer_l2_squared, "mm^2", "down")
    return [*(Row(name, 1e3 * value, "mm", "down") for name, value in lengths.items()), squared]


def _threshold_rows(m: Metrics) -> list[Row]:
    shares = (("precision", m.precision), ("recall", m.recall), ("F", m.f_score))
    return [
        Row(f"{name} at {1e3 * limit:g} mm", 1e2 * values[i], "%", "up")
        for i, limit in enumerate(m.thresholds)
        for name, values in shares
    ]


def _labelled_rows(m: Metrics) -> list[Row]:
    """Rows of the labelled metrics that are known."""
    labelled = m.labelled
    found = [
        Row(f"recall at {1e3 * limit:g} mm on thin solids", 1e2 * value, "%", "up")
        for limit, value in zip(m.thresholds, labelled.thin_recall or (), strict=False)
    ]
    flat = (
        Row("planar surface found", _scaled(labelled.flat_share, 1e2), "%", "up"),
        Row("angle on planar surface, median", labelled.flat_angle_deg, "deg", "down"),
        Row("distance on planar surface, rms", _scaled(labelled.flat_rms, 1e3), "mm", "down"),
    )
    return found + [row for row in flat if row.value is not None]


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _surface_rows(m: Metrics) -> list[Row]:
    return [
        Row("normal consistency", m.normal_consistency, "", "up"),
        Row("normal consistency, signed", m.normal_consistency_signed, "", "up"),
        Row(f"hallucinated share beyond {1e3 * m.hallucination_m:g} mm", 1e2 * m.hallucinated_share, "%", "down"),
        Row("hallucinated area", m.hallucinated_area, "m^2", "down"),
        Row("area", m.area, "m^2", ""),
        Row("components", m.components, "", "down"),
        Row("watertight", m.watertight, "", "up"),
        Row("boundary edges", m.boundary_edges, "", "down"),
        Row("non-manifold edges", m.nonmanifold_edges, "", "down"),
        Row("faces", m.faces, "", ""),
        Row("vertices", m.vertices, "", ""),
    ]
