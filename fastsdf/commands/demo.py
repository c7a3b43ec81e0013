# SPDX-License-Identifier: MIT
"""What ``fastsdf demo`` does: the bundled scan in, a run folder with a report out."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from fastsdf.commands.fit import fit_scan
from fastsdf.commands.report import REPORT
from fastsdf.config.loading import load_config
from fastsdf.errors import InputError
from fastsdf.system.bundled import bundled_folder

DEMO_SCAN = "room.ply"


def run_demo(folder: Path, assignments: Sequence[str], device: str | None, show: bool) -> None:
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
    fit_scan([demo_scan()], folder, config, {}, page=True)
    out = folder / REPORT
    if show and not webbrowser.open(out.resolve().as_uri()):
        raise InputError(f"no browser could be opened; open {out} yourself")


def demo_scan() -> Path:
    """The bundled scan: data/ inside the package when installed, beside it in a checkout.

    Raises:
        InputError: if it is in neither.
    """
    scan = bundled_folder("data") / DEMO_SCAN
    if not scan.is_file():
        raise InputError(f"the bundled scan {DEMO_SCAN} is missing from {scan.parent}; install fastsdf again")
    return scan
