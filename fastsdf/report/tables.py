# SPDX-License-Identifier: MIT
"""Builds the tables of a report: metrics, timings, scan, machine and settings as rows of text."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastsdf.evaluation.rows import Row
from fastsdf.prepare.measure import LEFT_OUT
from fastsdf.report.content import Table
from fastsdf.system.format_value import format_value

# Written by its name, because it looks like a plain 2 in some editors.
SQUARED = "\N{SUPERSCRIPT TWO}"
METRIC_NAMES = {  # key of run.json -> label, factor, unit
    "surface_residual_m": ("mean |u| on the points, last log entries", 1e3, "mm"),
    "eikonal_residual": ("eikonal residual off the surface", 1.0, ""),
    "eikonal_residual_surface": ("eikonal residual on the points", 1.0, ""),
    "held_out_points": ("held-out points", 1, ""),
    "held_out_median_m": ("held-out points to the mesh, median", 1e3, "mm"),
    "held_out_p95_m": ("held-out points to the mesh, 95th percentile", 1e3, "mm"),
    "noise_median_m": ("median expected from the noise alone", 1e3, "mm"),
    "error_estimate_m": ("estimated error of the surface", 1e3, "mm"),
}


def metrics_table(metrics: Mapping[str, Any], residual: Mapping[str, float]) -> Table:
    """Metrics of a run.

    Args:
        metrics: ``metrics`` of run.json.
        residual: statistics of |u| at the points, name -> millimetres.
    """
    rows = [(f"|u| at the points, {name}", format_value(value), "mm") for name, value in residual.items()]
    for name, value in metrics.items():
        label, scale, unit = METRIC_NAMES.get(name, (name.replace("_", " "), 1, ""))
        rows.append((label, format_value(None if value is None else scale * value), unit))
    return Table("Metrics", rows)


def scores_table(rows: Sequence[Row]) -> Table:
    """Metrics of an evaluation; an arrow shows whether a larger or a smaller value is better."""
    arrows = {"up": "\N{UPWARDS ARROW}", "down": "\N{DOWNWARDS ARROW}", "": ""}
    found = [
        (f"{row.name} {arrows[row.better]}".rstrip(), format_value(row.value), row.unit.replace("^2", SQUARED))
        for row in rows
    ]
    return Table("Scores (\N{UPWARDS ARROW}: larger is better, \N{DOWNWARDS ARROW}: smaller is better)", found)


def scan_table(facts: Mapping[str, Any]) -> Table:
    """Statistics of the measured scan (`PreparedScan.facts`)."""
    extent = " x ".join(f"{side:.2f}" for side in facts["extent_m"])
    rows = [
        ("points", format_value(facts["points"]), ""),
        ("points in the scene's box", format_value(facts["points_in_box"]), ""),
        *((name, format_value(100 * facts[key]), "%") for key, name in LEFT_OUT.items() if key in facts),
        ("extent", extent, "m"),
        ("spacing", format_value(1e3 * facts["spacing_m"]), "mm"),
        ("noise", format_value(1e3 * facts["noise_m"]), "mm"),
        ("scanned area", format_value(facts["area_m2"]), f"m{SQUARED}"),
        ("inside/outside evidence", str(facts["inside_outside_evidence"]), ""),
        *(("note", str(note), "") for note in facts["notes"]),
    ]
    return Table("Scan", rows)


def timings_table(seconds: Mapping[str, float], memory_gib: Mapping[str, float]) -> Table:
    """Wall-clock times of the stages and peak memory of the machine and its GPU."""
    rows = [(name, format_value(float(value)), "s") for name, value in seconds.items()]
    rows += [(f"peak memory, {name}", format_value(float(value)), "GiB") for name, value in memory_gib.items()]
    return Table("Timings", rows)


def machine_table(report: Mapping[str, Any]) -> Table:
    """Device, backend, seed and package versions, from run.json."""
    names = ("device", "backend", "backend_reason", "seed", "parameters")
    rows = [(name.replace("_", " "), format_value(report[name]), "") for name in names if name in report]
    versions = report.get("versions", {})
    return Table("Machine", rows + [(f"version of {name}", str(value), "") for name, value in versions.items()])


def settings_tables(settings: Mapping[str, Any]) -> tuple[Table, ...]:
    """All settings by dotted key, one table per section; the settings without a section come first."""
    top_level = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    sections = [("fit", top_level), *((key, {key: value}) for key, value in settings.items() if key not in top_level)]
    return tuple(
        Table(name, [(key, format_value(value), "") for key, value in _flat(values, "")]) for name, values in sections
    )


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Flatten nested mappings to (dotted key, value), in order."""
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return rows
