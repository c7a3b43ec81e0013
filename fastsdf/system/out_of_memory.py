# SPDX-License-Identifier: MIT
"""Running out of memory, told in one message: what was large, and which options make it smaller."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastsdf.errors import MemoryExhausted

_MARKS = ("can't allocate memory", "out of memory", "not enough memory", "alloc_failed", "unable to allocate")
_NO_LIBRARY = ("failed to map segment", "cannot allocate memory")  # a library that is too large to load
_SHOWN = 160
_ANYWHERE = "end other programs, or give this one more ('ulimit -v' and containers set limits)"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: of numpy, of torch on a CPU or on a CUDA device."""
    text = str(error).lower()
    if isinstance(error, ImportError):
        return any(mark in text for mark in _NO_LIBRARY)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # of torch, which may be too large
        return True
    return isinstance(error, RuntimeError) and any(mark in text for mark in _MARKS)


@contextmanager
def explained(doing: str, advice: str) -> Iterator[None]:
    """Turns an error that says that memory ran out into one for people; others pass.

    Args:
        doing: what the block does and what is large in it, after "while".
        advice: which options make it smaller.

    Raises:
        MemoryExhausted: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise _exhausted(error, f" while {doing}", advice) from error


@contextmanager
def never_a_traceback() -> Iterator[None]:
    """Around a whole command: what no stage explains.

    Raises:
        MemoryExhausted: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ImportError) as error:
        if not is_out_of_memory(error):
            raise
        raise _exhausted(error, "", _ANYWHERE) from error


def _exhausted(error: BaseException, where: str, advice: str) -> MemoryExhausted:
    reason = " ".join(str(error).split())[:_SHOWN]
    found = f" ({reason})" if reason else ""
    return MemoryExhausted(f"memory ran out{where}{found}; {advice}")
