# SPDX-License-Identifier: MIT
"""The summaries of a fit: the line about the scan, the content of run.json, and the final table."""

from typing import Any

from fastsdf.geometry import TriangleMesh
from fastsdf.prepare.measure import LEFT_OUT
from fastsdf.system.device import describe_device
from fastsdf.system.memory import peak_memory_gib
from fastsdf.system.timing import Stopwatch
from fastsdf.system.versions import versions
from fastsdf.training.session import Session

ACCURACY_ROWS = {  # metric of `self_accuracy` -> its name in the final table
    "held_out_median_m": "held-out points, median",
    "held_out_p95_m": "held-out points, 95%",
    "error_estimate_m": "estimated error of the surface",
}


def describe_scan(console: Any, scan: str, facts: dict[str, Any]) -> None:
    """Prints the notes of reading a scan and one line with its statistics (``PreparedScan.facts``)."""
    for note in facts["notes"]:
        console.print(f"note: {note}")
    extent = " x ".join(f"{e:.2f}" for e in facts["extent_m"])
    console.print(
        f"{scan}: {facts['points']:,} points, {facts['points_in_box']:,} in a box of {extent} m, "
        f"spacing {1e3 * facts['spacing_m']:.1f} mm, noise {1e3 * facts['noise_m']:.1f} mm, "
        f"about {facts['area_m2']:.0f} m^2 seen; inside/outside evidence: {facts['inside_outside_evidence']}"
    )
    if line := _registration_line(facts):
        console.print(line)


def _registration_line(facts: dict[str, Any]) -> str:
    """What was done about views that disagree (`fastsdf.prepare.registration.refine`); empty for a single view."""
    if "view_residual_m" not in facts:
        return ""
    before = (
        f"{facts['views']} views ({facts['views_from']}) differ by {1e3 * facts['view_residual_m']:.1f} mm on average"
    )
    if "views_moved_median_m" not in facts:
        return f"{before}; none was moved, since that would not help"
    return (
        f"{before}, {1e3 * facts['view_residual_refined_m']:.1f} mm after they were moved by "
        f"{1e3 * facts['views_moved_median_m']:.1f} mm (median; at most {1e3 * facts['views_moved_max_m']:.1f}): "
        "view_motions.txt; --refine-poses off keeps the given poses"
    )


def report_of(
    session: Session, mesh: TriangleMesh, watch: Stopwatch, origin: dict[str, Any], accuracy: dict[str, Any]
) -> dict[str, Any]:
    """Returns the content of run.json.

    Args:
        session: the finished fit.
        mesh: the mesh that was written.
        watch: wall time of each stage.
        origin: at which step the fit was resumed; empty for a new fit.
        accuracy: metrics of `fastsdf.evaluation.self_accuracy.self_accuracy`.
    """
    half_extent_m = session.prepared.transform.half_extent_m
    state = session.state
    last, weights = state.history[-1], session.config.loss
    earlier = max(state.seconds - watch.seconds["train"], 0.0)
    return {
        "scan": session.prepared.facts["scan"],
        **origin,
        "device": describe_device(session.device),
        "backend": state.field.backend.info.name,
        "backend_reason": session.backend_reason,
        "seed": session.config.seed,
        "versions": versions(),
        "scan_facts": session.prepared.facts,
        "transform": session.prepared.transform.state(),
        "steps": state.step,
        "parameters": sum(p.numel() for p in state.field.parameters()),
        "seconds": {
            **watch.seconds,
            "training": round(state.seconds, 3),
            "total": round(earlier + sum(watch.seconds.values()), 3),
        },
        "peak_memory_gib": peak_memory_gib(session.device),
        "metrics": {
            "surface_residual_m": last["surface"] * half_extent_m if weights.surface else None,
            "eikonal_residual": last["eikonal_off_surface"] if weights.eikonal_off_surface else None,
            "eikonal_residual_surface": last["eikonal_surface"] if weights.eikonal_surface else None,
            **accuracy,
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
        },
        "history": state.history,
    }


def summary_rows(report: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """Returns the final table as rows (name, value, unit), from the result of `report_of`."""
    seconds, metrics, facts = report["seconds"], report["metrics"], report["scan_facts"]
    residual_m = metrics["surface_residual_m"]
    return [
        ("inside/outside evidence", facts["inside_outside_evidence"], ""),
        ("noise of the scan", 1e3 * facts["noise_m"], "mm"),
        *((name, 100 * facts[key], "%") for key, name in LEFT_OUT.items() if key in facts),
        ("faces", metrics["faces"], ""),
        ("mean |u| on the scan", None if residual_m is None else 1e3 * residual_m, "mm"),
        *((name, 1e3 * metrics[key], "mm") for key, name in ACCURACY_ROWS.items() if key in metrics),
        ("eikonal residual", metrics["eikonal_residual"], ""),
        ("parameters", report["parameters"], ""),
        *((name, value, "s") for name, value in seconds.items() if name != "training"),
        *((f"peak memory, {name}", value, "GiB") for name, value in report["peak_memory_gib"].items()),
    ]
