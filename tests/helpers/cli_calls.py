# SPDX-License-Identifier: MIT
"""Calls the command line within this process; options for a fit that takes seconds."""

import sys

from fastsdf.commands import app as cli

QUICK = (
    *("--voxel-size", "0.125", "--steps", "24", "--preset", "smoke", "--backend", "numba", "--device", "cpu"),
    *("--set", "training={warm_start_steps: 20, log_every: 8}", "--set", "prepare.smoothing_rounds=0"),
    *("--set", "sampling={surface_points: 256, near_points: 128, uniform_points: 128}"),
)


def call_main(*arguments: object) -> int:
    """Runs the entry point with these arguments and returns its exit code."""
    before, sys.argv = sys.argv, ["fastsdf", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0
