# SPDX-License-Identifier: MIT
"""A queue of the work that browsers request; the thread that owns the field runs it."""

import threading
from collections.abc import Callable

Job = Callable[[], None]


class Jobs:
    """A queue of named jobs, in which a new job replaces a waiting job of the same name.

    A dragged slider submits many jobs per second, of which only the last one is run. Any thread may submit jobs, but
    only one thread runs them, because all kernels on a CPU share one thread pool.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Job] = {}
        self._changed = threading.Condition()

    def submit(self, name: str, job: Job) -> None:
        """Put a job at the end of the queue and remove a waiting job of the same name."""
        with self._changed:
            self._waiting.pop(name, None)
            self._waiting[name] = job
            self._changed.notify()

    def run_pending(self) -> None:
        """Run jobs, including those submitted meanwhile, until the queue is empty."""
        while (job := self._take()) is not None:
            job()

    def run_forever(self) -> None:
        """Run jobs as they are submitted, until the thread is interrupted."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            self.run_pending()

    def _take(self) -> Job | None:
        with self._changed:
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None
