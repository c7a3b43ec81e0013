# SPDX-License-Identifier: MIT
"""``fastsdf info`` and ``fastsdf doctor``: what a scan holds, and what works on this machine."""

import time
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
from fastsdf.limits import Limits, check_early, plan_report, plan_rows, start_within
from fastsdf.pipeline import prepare_scan
from fastsdf.process_age import process_age_s
from fastsdf.run_folder import write_json
from fastsdf.scan import PointCloud

NO_LIMITS = Limits()


def info(
    scans: Sequence[Path],
    config: FitConfig,
    reading: dict[str, Any],
    json: Path | None,
    limits: Limits = NO_LIMITS,
) -> None:
    """Prints what a scan holds and what a fit would choose for it, within budgets if there are any."""
    console = ui.make_console()
    names = [str(scan) for scan in expand_paths(scans)]
    cloud = read_point_clouds(names, **reading)
    read_s = process_age_s()
    check_early(limits, len(cloud), read_s)
    with console.status("measuring the scan"):
        facts = inspect_scan(cloud, config)
    for note in cloud.notes:
        console.print(f"note: {note}")
    ui.print_table(console, list_some(names), inspection_rows(facts))
    if limits != NO_LIMITS:
        with console.status("timing a few steps"):
            rows, facts["budget"] = _within(cloud, config, limits, read_s)
        ui.print_table(console, "within the budget", rows)
    if json:
        write_json({"scans": names, **facts}, json)


def _within(cloud: PointCloud, config: FitConfig, limits: Limits, read_s: float) -> tuple[list[Any], dict[str, Any]]:
    """Does what a fit does until training, on a clock that goes on from when the scan was read; rows and report."""
    began = time.monotonic()
    _, plan = start_within(prepare_scan(cloud, config), config, limits, lambda: read_s + time.monotonic() - began)
    return plan_rows(plan), plan_report(limits, plan)


def doctor() -> None:
    """Prints what works on this machine."""
    ui.print_table(ui.make_console(), "fastsdf doctor", examine())
