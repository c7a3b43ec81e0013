# SPDX-License-Identifier: MIT
"""Measures the time of the stages of a command, and the age of the process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Later ages are counted from here by the monotonic clock, which nobody sets.
_IMPORTED = time.monotonic()


class Stopwatch:
    """Wall time in seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the wall time of the block to a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)


def process_age_s() -> float:
    """Returns the seconds since the process started, which is when the user entered the command."""
    return _age_at_import() + time.monotonic() - _IMPORTED


def _age_at_import() -> float:
    import psutil  # slow to import

    age_now = time.time() - psutil.Process().create_time()
    return max(age_now - (time.monotonic() - _IMPORTED), 0.0)
