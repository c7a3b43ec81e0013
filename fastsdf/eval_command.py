# SPDX-License-Identifier: MIT
"""``fastsdf eval``: a mesh against its ground truth."""

from pathlib import Path

from fastsdf import console as ui
from fastsdf.evaluation import Marks, evaluate, protocol_named, rows
from fastsdf.io import is_mesh_file, read_mesh, read_point_cloud
from fastsdf.io.ply import read_ply_flags
from fastsdf.run_folder import write_json


def evaluate_mesh(
    mesh: Path, reference: Path, observed: Path | None, protocol: str, json: Path | None, seed: int
) -> None:
    """Scores a mesh and prints the figures."""
    chosen = protocol_named(protocol)
    truth = read_mesh(reference) if is_mesh_file(reference) else read_point_cloud(reference)
    seen = read_point_cloud(observed) if observed else None
    marks = _marks(observed) if observed else None
    metrics = evaluate(read_mesh(mesh), truth, protocol=protocol, seed=seed, observed=seen, marks=marks)
    ui.print_table(
        ui.make_console(), f"{mesh} against {reference} (protocol {chosen.name})", [r[:3] for r in rows(metrics)]
    )
    if json:
        write_json({"mesh": str(mesh), "reference": str(reference), **metrics.as_dict()}, json)


def _marks(observed: Path) -> Marks | None:
    """Which observed points are ``thin`` and ``planar``, if the file is a PLY that says so."""
    flags = read_ply_flags(observed, Marks._fields) if observed.suffix.lower() == ".ply" else {}
    return Marks(**flags) if flags else None
