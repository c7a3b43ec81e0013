# SPDX-License-Identifier: MIT
"""``fastsdf info``: shows what a scan contains and which settings a fit would choose for it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastsdf.budget.plan import Limits, check_early, plan_report, plan_rows, start_within
from fastsdf.commands import console as ui
from fastsdf.commands.inspection import inspect_scan, inspection_rows
from fastsdf.config.models import FitConfig
from fastsdf.io import read_point_clouds
from fastsdf.io.files import expand_paths
from fastsdf.io.merging import list_some
from fastsdf.io.run_folder import write_json
from fastsdf.prepare.measure import measure_scan
from fastsdf.prepare.pipeline import orient_measured, smooth_oriented
from fastsdf.system.device import choose_device
from fastsdf.system.timing import process_age_s

# Default: no budget was given.
NO_LIMITS = Limits()


def print_info(
    scans: Sequence[Path],
    config: FitConfig,
    reading: dict[str, Any],
    json: Path | None,
    limits: Limits = NO_LIMITS,
) -> None:
    """Prints what scans contain and which settings a fit would choose for them.

    Args:
        scans: files, folders or patterns.
        config: settings that the user chose.
        reading: options of `fastsdf.io.read_point_cloud`.
        json: file for the same values; None writes no file.
        limits: budgets; with them a few training steps are timed and the plan is printed too.
    """
    console = ui.make_console()
    names = [str(scan) for scan in expand_paths(scans)]
    cloud = read_point_clouds(names, **reading)
    read_s, began = process_age_s(), time.monotonic()
    check_early(limits, len(cloud), read_s)
    with console.status("measuring the scan"):
        measured = measure_scan(cloud, choose_device(config.device))
        evidence = orient_measured(measured, config)
        facts = inspect_scan(cloud, measured, evidence, config)
    for note in cloud.notes:
        console.print(f"note: {note}")
    ui.print_table(console, list_some(names), inspection_rows(facts))
    if limits != NO_LIMITS:
        with console.status("timing a few steps"):
            prepared = smooth_oriented(measured, evidence, config)
            _, plan = start_within(prepared, config, limits, lambda: read_s + time.monotonic() - began)
        rows, facts["budget"] = plan_rows(plan), plan_report(limits, plan)
        ui.print_table(console, "within the budget", rows)
    if json:
        write_json({"scans": names, **facts}, json)
