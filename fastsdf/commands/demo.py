# SPDX-License-Identifier: MIT
"""``fastsdf demo``: fits the bundled scan into a run folder and writes its report."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from fastsdf.commands.fit import fit_scan
from fastsdf.commands.report import REPORT
from fastsdf.config.loading import load_config
from fastsdf.errors import InputError
from fastsdf.system.bundled import bundled_folder

# The scan in data/ of the checkout, also part of the wheel.
DEMO_SCAN = "room.ply"


def run_demo(folder: Path, assignments: Sequence[str], device: str | None, show: bool) -> None:
    """Reconstructs the bundled scan into a run folder and writes its report.

    Args:
        folder: run folder to write.
        assignments: settings of the fit, ``section.key=value``.
        device: device of the fit; None chooses the fastest one.
        show: whether to open the report in a browser.

    Raises:
        InputError: before any work if a package is missing or a setting is wrong; at the end if no browser opens.
    """
    config = load_config(assignments=assignments, device=device)
    fit_scan([demo_scan()], folder, config, {}, page=True)
    out = folder / REPORT
    if show and not webbrowser.open(out.resolve().as_uri()):
        raise InputError(f"no browser could be opened; open {out} by hand")


def demo_scan() -> Path:
    """Returns the path of the bundled scan: in data/ inside the installed package, or beside it in a checkout.

    Raises:
        InputError: if the scan is in neither folder.
    """
    scan = bundled_folder("data") / DEMO_SCAN
    if not scan.is_file():
        raise InputError(f"the bundled scan {DEMO_SCAN} is missing from {scan.parent}; reinstall fastsdf")
    return scan
