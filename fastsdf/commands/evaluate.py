# SPDX-License-Identifier: MIT
"""``fastsdf eval``: scores a mesh against its ground truth."""

from pathlib import Path
from typing import NamedTuple

from fastsdf.commands import console as ui
from fastsdf.errors import InputError
from fastsdf.evaluation import PointLabels, evaluate, protocol_named, rows
from fastsdf.evaluation.mesh_distance import why_not_open3d
from fastsdf.io import atomic_path, is_mesh_file, read_mesh, read_point_cloud
from fastsdf.io.formats.ply import read_ply_flags
from fastsdf.io.run_folder import write_json


class Page(NamedTuple):
    """The HTML file to write, and the axis of the meshes that points up in its pictures."""

    path: Path
    up: str = "z"


def evaluate_mesh(
    mesh: Path,
    reference: Path,
    observed: Path | None,
    protocol: str,
    json: Path | None,
    seed: int,
    page: Page | None = None,
) -> None:
    """Scores a mesh and prints the metrics.

    Args:
        mesh, reference: files of the mesh and of the true surface.
        observed: file of the points at which recall is measured; None samples the reference.
        protocol: name of the evaluation protocol.
        json: file for the metrics; None writes no file.
        seed: seed of the surface samples.
        page: HTML page to write; None writes none.

    Raises:
        InputError: before any work if the page cannot be made or an option is wrong.
    """
    chosen = protocol_named(protocol)
    if page:
        _check_page(page)
    truth = read_mesh(reference) if is_mesh_file(reference) else read_point_cloud(reference)
    seen = read_point_cloud(observed) if observed else None
    labels = _labels(observed) if observed else None
    scored, console = read_mesh(mesh), ui.make_console()
    if why := why_not_open3d():
        console.print(f"note: distances are computed without Open3D, which is slower ({why})")
    metrics = evaluate(scored, truth, protocol=protocol, seed=seed, observed=seen, labels=labels)
    title = f"{mesh} against {reference} (protocol {chosen.name})"
    ui.print_table(console, title, [r[:3] for r in rows(metrics)])
    if json:
        write_json({"mesh": str(mesh), "reference": str(reference), **metrics.as_dict()}, json)
    if page:
        from fastsdf.report.score import build_score

        with console.status("drawing the page"):
            text = build_score(scored, truth, seen, metrics, (str(mesh), str(reference)), page.up)
        with atomic_path(page.path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        console.print(f"page {page.path}")


def _check_page(page: Page) -> None:
    from fastsdf.commands.report import check_report
    from fastsdf.rendering.scene import check_up

    check_report()
    check_up(page.up)
    if page.path.is_dir():
        raise InputError(f"{page.path} is a folder; name a file: --html {page.path / 'scores.html'}")


def _labels(observed: Path) -> PointLabels | None:
    """The labels ``thin`` and ``planar`` of the observed points, if the file is a PLY with these properties."""
    flags = read_ply_flags(observed, PointLabels._fields) if observed.suffix.lower() == ".ply" else {}
    return PointLabels(**flags) if flags else None
