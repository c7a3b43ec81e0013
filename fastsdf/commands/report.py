# SPDX-License-Identifier: MIT
"""``fastsdf report``: writes an HTML page about a run."""

from pathlib import Path

from fastsdf.commands import console as ui
from fastsdf.errors import InputError
from fastsdf.io import atomic_path, read_mesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.rendering.scene import check_up
from fastsdf.report.build import build_report
from fastsdf.report.figures import load_matplotlib
from fastsdf.report.page import load_jinja2

REPORT = "report.html"  # default file name in the run folder


def check_report() -> None:
    """Raises InputError if a package that reports need is missing."""
    load_matplotlib()
    load_jinja2()


def report_run(path: Path, out: Path | None, device: str, up: str = "z") -> Path:
    """Writes the report of a run and returns its path.

    Args:
        path: run folder; its mesh file is read, or a mesh is extracted if the file is missing.
        out: HTML file to write; None writes report.html in the run folder.
        device: device that evaluates the field.
        up: axis of the scan that points up.

    Raises:
        InputError: before any work if a package is missing, the output is a folder or the axis is unknown.
        CheckpointError: if the folder holds no run.
    """
    out = out or path / REPORT
    check_report()
    check_up(up)
    if out.is_dir():
        raise InputError(f"{out} is a folder; name a file: -o {out / REPORT}")
    run, console = RunFolder(path), ui.make_console()
    fitted = FittedField.load(path, device)
    with console.status("drawing the report"):
        mesh = read_mesh(run.mesh) if run.mesh.is_file() else fitted.extract_mesh()
        text = build_report(fitted, mesh, run.read_report(), up)
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    console.print(f"report {out}")
    return out
