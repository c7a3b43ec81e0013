# SPDX-License-Identifier: MIT
"""How long the stages of a command take, and how long this process has been running."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IMPORTED = time.monotonic()


class Stopwatch:
    """Seconds per named stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the block's wall time to a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)


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
