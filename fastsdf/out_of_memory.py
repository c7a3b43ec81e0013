# SPDX-License-Identifier: MIT
"""Running out of memory, told in one message: what was large, and which options make it smaller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fastsdf.errors import MemoryExhausted

_MARKS = ("can't allocate memory", "out of memory", "not enough memory", "alloc_failed", "unable to allocate")
_SHOWN = 160


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: of numpy, of torch on a CPU or on a CUDA device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error).lower() for mark in _MARKS)


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
        reason = " ".join(str(error).split())[:_SHOWN]
        found = f" ({reason})" if reason else ""
        raise MemoryExhausted(f"memory ran out while {doing}{found}; {advice}") from error
