# SPDX-License-Identifier: MIT
"""``fastsdf info``: what a scan holds, and what a fit would choose for it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastsdf.budget.plan import Limits, check_early, plan_report, plan_rows, start_within
from fastsdf.commands import console as ui
from fastsdf.commands.inspection import inspect_scan, inspection_rows
from fastsdf.config.models import FitConfig
from fastsdf.geometry import PointCloud
from fastsdf.io import read_point_clouds
from fastsdf.io.files import expand_paths
from fastsdf.io.merging import list_some
from fastsdf.io.run_folder import write_json
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.system.timing import process_age_s

NO_LIMITS = Limits()


def print_info(
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
