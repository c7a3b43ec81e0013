# SPDX-License-Identifier: MIT
"""Memory of the process and of the machine, in bytes."""

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

CGROUPS = (  # version 2, and 1: files of the limit and of what is used
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def release_memory() -> None:
    """Gives memory that was freed back to the system, where the C library can (glibc)."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return


def resident_bytes() -> float:
    """Memory that the process holds now; its peak where the system does not tell (not Linux)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * float(resource.getpagesize())
    except (OSError, ValueError, IndexError):
        return peak_memory_gib("cpu")["host"] * 2.0**30


def available_bytes() -> float:
    """Memory that the process could still take, of the machine and of its control group; infinite if none tells."""
    found = [float("inf")]
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024.0 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    for limit, used in CGROUPS:
        with suppress(OSError, ValueError):  # no such group, or "max"
            found.append(float(int(Path(limit).read_text()) - int(Path(used).read_text())))
    return max(min(found), 0.0)


def peak_memory_gib(device: str) -> dict[str, Any]:
    """Peak resident memory of the process and, on CUDA, peak allocated device memory, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"host": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)}
    if device.startswith("cuda"):
        peak["device"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    return peak
