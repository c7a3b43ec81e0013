# SPDX-License-Identifier: MIT
"""What ``fastsdf report`` and ``fastsdf demo`` do: a run folder in, an HTML file out."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from fastsdf import console as ui
from fastsdf import fit_command
from fastsdf.config_io import load_config
from fastsdf.errors import InputError
from fastsdf.io import atomic_path, read_mesh
from fastsdf.report.build import build_report
from fastsdf.report.figures import load_matplotlib
from fastsdf.report.page import load_jinja2
from fastsdf.report.scene import check_up
from fastsdf.run_folder import RunFolder

DEMO_SCAN = "room.ply"
REPORT = "report.html"


def check_report() -> None:
    """Raises InputError if a report cannot be made here because a package is missing."""
    load_matplotlib()
    load_jinja2()


def report_run(path: Path, out: Path | None, device: str, up: str = "z") -> Path:
    """Writes the report of a run and returns its path.

    Args:
        path: the run folder; its mesh is read, or extracted if there is none.
        out: the HTML file; None: report.html in the run folder.
        device: where to evaluate the field.
        up: the scan's axis that points up.

    Raises:
        InputError: before any work, if a package is missing, the output is a folder or the axis is none.
        CheckpointError: if the folder holds no run.
    """
    out = out or path / REPORT
    check_report()
    check_up(up)
    if out.is_dir():
        raise InputError(f"{out} is a folder; name a file: -o {out / REPORT}")
    run, console = RunFolder(path), ui.make_console()
    fitted = run.load_fitted(device)
    with console.status("drawing the report"):
        mesh = read_mesh(run.mesh) if run.mesh.is_file() else fitted.extract_mesh()
        text = build_report(fitted, mesh, run.read_report(), up)
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    console.print(f"report {out}")
    return out


def demo(folder: Path, assignments: Sequence[str], device: str | None, show: bool) -> None:
    """Reconstructs the bundled scan into a run folder and writes its report.

    Args:
        folder: the run folder.
        assignments: settings of the fit, ``section.key=value``.
        device: where to fit; None: the best there is.
        show: open the report in a browser.

    Raises:
        InputError: before any work, if a package is missing or a setting is wrong; at the end, if no browser opens.
    """
    config = load_config(assignments=assignments, device=device)
    fit_command.fit_scan([demo_scan()], folder, config, {}, page=True)
    out = folder / REPORT
    if show and not webbrowser.open(out.resolve().as_uri()):
        raise InputError(f"no browser could be opened; open {out} yourself")


def demo_scan() -> Path:
    """The bundled scan: data/ inside the package when installed, beside it in a checkout.

    Raises:
        InputError: if it is in neither.
    """
    package = Path(__file__).parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / DEMO_SCAN).is_file():
            return folder / DEMO_SCAN
    raise InputError(f"the bundled scan {DEMO_SCAN} is missing from {package / 'data'}; install fastsdf again")
