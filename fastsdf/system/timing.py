# SPDX-License-Identifier: MIT
"""How long the stages of a command take, and how long this process has been running."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

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
    """Seconds since the process began: what the user has waited since the command was typed."""
    return _age_at_import() + time.monotonic() - _IMPORTED


def _age_at_import() -> float:
    import psutil  # not for --help

    age_now = time.time() - psutil.Process().create_time()
    return max(age_now - (time.monotonic() - _IMPORTED), 0.0)
