# SPDX-License-Identifier: MIT
"""Measures the memory of the process and of the machine, in bytes."""

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch

# (limit, usage) files of a Linux control group, version 2 and version 1; psutil knows only the whole machine.
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def release_memory() -> None:
    """Returns freed memory to the operating system if the C library can do so (glibc)."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident_bytes() -> float:
    """Returns the memory that the process holds now."""
    return float(psutil.Process().memory_info().rss)


def available_bytes() -> float:
    """Returns the memory that is still free: on the machine, or in its control group if that is less."""
    found = [float(psutil.virtual_memory().available)]
    for limit, used in CGROUPS:
        with suppress(OSError, ValueError):  # no such group, or "max"
            found.append(float(int(Path(limit).read_text()) - int(Path(used).read_text())))
    return max(min(found), 0.0)


def peak_bytes() -> float:
    """Returns the largest resident memory of the process so far."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset)
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB on Linux
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def peak_memory_gib(device: str) -> dict[str, Any]:
    """Returns the peak resident memory of the process and, on CUDA, the peak allocated device memory, in GiB."""
    peak = {"host": round(peak_bytes() / 2**30, 3)}
    if device.startswith("cuda"):
        peak["device"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    return peak
