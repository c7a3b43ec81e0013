# SPDX-License-Identifier: MIT
"""The machine: device choice, backend choice, versions and memory for the run's report."""

import ctypes
import gc
import platform
import resource
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fastsdf.backends.base import Backend
from fastsdf.backends.registry import select_backend
from fastsdf.config import FitConfig
from fastsdf.errors import ConfigError
from fastsdf.grid import GridSpec
from fastsdf.operators import derivative_order

REPORTED_PACKAGES = ("fastsdf", "torch", "numpy", "scipy", "triton", "tinycudann", "numba", "trimesh", "open3d")
CGROUPS = (  # version 2, and 1: files of the limit and of what is used
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def choose_device(name: str) -> str:
    """Resolves ``auto`` to ``cuda`` where it works, else ``cpu``.

    Raises:
        ConfigError: if a CUDA device was asked for and is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(name.partition(":")[2] or 0)
        if index >= count:
            raise ConfigError(
                f"device '{name}' is not available ({count} CUDA devices found{_why_no_cuda(count)}); "
                "use --device cpu or auto"
            )
    return name


def _why_no_cuda(count: int) -> str:
    if count:
        return ""
    if torch.version.cuda is None:
        return f"; this torch, {torch.__version__}, is built without CUDA: pytorch.org has the build for your driver"
    return "; 'nvidia-smi' tells whether the driver works"


def check_machine(config: FitConfig) -> None:
    """Asks for device and backend before any work.

    Raises:
        ConfigError: the device is not there.
        BackendUnavailable: the backend asked for by name cannot run.
    """
    choose_backend(config, choose_device(config.device))


def choose_backend(config: FitConfig, device: str, grid: GridSpec | None = None) -> tuple[Backend, str]:
    """The backend of a fit on a device, for a grid if it is known, and the reason (see `fastsdf.backends.registry`).

    Raises:
        BackendUnavailable: if a backend asked for by name cannot run here.
    """
    dtype, order = getattr(torch, config.precision), derivative_order(config.operators.mode)
    return select_backend(config.backend, device.partition(":")[0], dtype, order, grid)


def settle_vector_math() -> None:
    """One tiny square root before any that counts, so that the same seed gives the same fit in every process.

    In about one process in fourteen the first large float32 square root of torch on a CPU was off by 3e-4 (measured
    with torch 2.13); after a first small one, none was in 55 processes.
    """
    torch.ones(8).sqrt()


def describe_device(device: str) -> str:
    """A device's name for people."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads ({platform.machine()})"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result."""
    found = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


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


def synchronize(device: str) -> None:
    """Waits for the device, so that a host clock reads true."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
