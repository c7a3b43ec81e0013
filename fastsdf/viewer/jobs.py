# SPDX-License-Identifier: MIT
"""Work that browsers ask for, done one piece after the other by the thread that owns the field."""

import threading
from collections.abc import Callable

Work = Callable[[], None]


class Jobs:
    """A queue of named pieces of work; asking again for a name replaces what waits under it.

    A slider that is dragged asks many times a second: only its last position is worked on. Any thread may ask; one
    thread works, because kernels on a CPU share their threads.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Work] = {}
        self._changed = threading.Condition()

    def ask(self, name: str, work: Work) -> None:
        """Puts work at the end of the queue, in the place of what waits under the same name."""
        with self._changed:
            self._waiting.pop(name, None)
            self._waiting[name] = work
            self._changed.notify()

    def work_off(self) -> None:
        """Does what waits, and what is asked for meanwhile, until nothing does."""
        while (work := self._take()) is not None:
            work()

    def work_forever(self) -> None:
        """Waits for work and does it, until the thread is interrupted."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            self.work_off()

    def _take(self) -> Work | None:
        with self._changed:
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None
