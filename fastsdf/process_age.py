# SPDX-License-Identifier: MIT
"""How long this process has been running: what a person has waited since the command was typed."""

import os
import time
from pathlib import Path

_IMPORTED = time.monotonic()


def process_age_s() -> float:
    """Seconds since the process began, where the system tells (Linux); else since this module was imported."""
    return _age_at_import() + time.monotonic() - _IMPORTED


def _age_at_import() -> float:
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        now = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
    return max(now - started - (time.monotonic() - _IMPORTED), 0.0)
