# SPDX-License-Identifier: MIT
"""``fastsdf info`` and ``fastsdf doctor``: what a scan holds, and what works on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastsdf import console as ui
from fastsdf.config import FitConfig
from fastsdf.doctor import examine
from fastsdf.inspection import inspect_scan, inspection_rows
from fastsdf.io import read_point_clouds
from fastsdf.io.files import expand_paths
from fastsdf.io.merging import list_some
from fastsdf.run_folder import write_json


def info(scans: Sequence[Path], config: FitConfig, reading: dict[str, Any], json: Path | None) -> None:
    """Prints what a scan holds and what a fit would choose for it."""
    console = ui.make_console()
    names = [str(scan) for scan in expand_paths(scans)]
    cloud = read_point_clouds(names, **reading)
    with console.status("measuring the scan"):
        facts = inspect_scan(cloud, config)
    for note in cloud.notes:
        console.print(f"note: {note}")
    ui.print_table(console, list_some(names), inspection_rows(facts))
    if json:
        write_json({"scans": names, **facts}, json)


def doctor() -> None:
    """Prints what works on this machine."""
    ui.print_table(ui.make_console(), "fastsdf doctor", examine())
