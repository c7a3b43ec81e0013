# SPDX-License-Identifier: MIT
"""Turns out-of-memory errors into one message that names what was large and how to make it smaller."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastsdf.errors import MemoryExhausted

# Parts of the messages of torch, numpy and CUDA when memory runs out, lower case.
_MARKS = ("can't allocate memory", "out of memory", "not enough memory", "alloc_failed", "unable to allocate")
_LIBRARY_MARKS = ("failed to map segment", "cannot allocate memory")  # of the loader, for a shared library
_MAX_REASON = 160  # characters of the original message that are shown; CUDA writes several lines
_GENERAL_ADVICE = "end other programs, or give this one more ('ulimit -v' and containers set limits)"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of numpy, torch or the library loader means that memory ran out."""
    text = str(error).lower()
    if isinstance(error, ImportError):
        return any(mark in text for mark in _LIBRARY_MARKS)
    if (
        isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    ):  # torch's class, without importing torch
        return True
    return isinstance(error, RuntimeError) and any(mark in text for mark in _MARKS)


@contextmanager
def explained(doing: str, advice: str) -> Iterator[None]:
    """Turns an out-of-memory error of the block into a `MemoryExhausted` with advice; other errors pass.

    Args:
        doing: what the block does and what is large in it, to follow the word "while".
        advice: options that need less memory.

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
    """Turns out-of-memory errors that no stage of a command explains into a `MemoryExhausted`.

    Raises:
        MemoryExhausted: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ImportError) as error:
        if not is_out_of_memory(error):
            raise
        raise _exhausted(error, "", _GENERAL_ADVICE) from error


def _exhausted(error: BaseException, where: str, advice: str) -> MemoryExhausted:
    reason = " ".join(str(error).split())[:_MAX_REASON]
    found = f" ({reason})" if reason else ""
    return MemoryExhausted(f"memory ran out{where}{found}; {advice}")
