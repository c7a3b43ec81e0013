# SPDX-License-Identifier: MIT
"""Which backends exist, which of them run here, and which one ``auto`` takes."""

import importlib
from typing import Any

import torch

from fastsdf.config.models import FitConfig
from fastsdf.errors import BackendUnavailable, UnsupportedDerivative
from fastsdf.field.backends.base import Backend, BackendInfo
from fastsdf.field.backends.probe import probe_tiny_cuda_nn
from fastsdf.field.finite_differences import Mode
from fastsdf.field.hash_grid import GridSpec
from fastsdf.system.device import choose_device

_CLASSES = {
    "triton": ("fastsdf.field.backends.triton_gpu", "TritonBackend"),
    "tcnn": ("fastsdf.field.backends.tiny_cuda_nn", "TinyCudaNNBackend"),
    "numba": ("fastsdf.field.backends.numba_cpu", "NumbaBackend"),
    "torch": ("fastsdf.field.backends.torch_reference", "TorchBackend"),
}
BACKEND_NAMES = tuple(_CLASSES)
_SOURCES = {"triton": "it runs on NVIDIA GPUs and comes with the CUDA builds of torch"}


def load_backend(name: str) -> Backend:
    """The backend of that name; tiny-cuda-nn is tried in a child process first.

    Raises:
        BackendUnavailable: if its package is missing, does not load, or fails the trial.
    """
    backend_class = _load_class(name)
    problem = probe_tiny_cuda_nn() if name == "tcnn" else ""
    if problem:
        raise BackendUnavailable(
            f"backend '{name}' cannot be loaded ({problem}); docs/guides/backends.md says how to install it, "
            "or use --backend torch"
        )
    return backend_class()


def select_backend(
    name: str, device_type: str, dtype: torch.dtype, derivative_order: int, grid: GridSpec | None = None
) -> tuple[Backend, str]:
    """The backend asked for by name, or for ``auto`` the fastest that fits the rest.

    Args:
        name: one of `BACKEND_NAMES`, or ``auto``.
        device_type: torch device type to run on.
        dtype: float type to compute in.
        derivative_order: highest autograd derivative of the field that training takes, see
            `derivative_order`.
        grid: the grid to evaluate, once it is known.

    Returns:
        The backend and the reason for the choice, for the report.

    Raises:
        BackendUnavailable: if a backend asked for by name cannot run; ``auto`` falls back instead.
    """
    needs = (device_type, dtype, derivative_order, grid)
    if name != "auto":
        return _take(name, *needs), "asked for"
    passed_over = []
    for candidate in BACKEND_NAMES:
        try:
            backend = _take(candidate, *needs)
        except BackendUnavailable as error:
            passed_over.append(str(error).partition(";")[0])
        else:
            return backend, "; ".join([f"fastest usable on {device_type}", *passed_over])
    raise BackendUnavailable(f"no backend runs on {device_type} in {_short(dtype)}: {'; '.join(passed_over)}")


def why_not(
    info: BackendInfo, device_type: str, dtype: torch.dtype, derivative_order: int, grid: GridSpec | None = None
) -> str:
    """Why a backend does not do for these arguments of `select_backend`; empty if it does."""
    if device_type not in info.devices:
        return f"runs on {' and '.join(info.devices)}, not on {device_type}"
    if dtype not in info.dtypes:
        return f"computes in {' and '.join(map(_short, info.dtypes))}, not in {_short(dtype)}"
    if info.max_autograd_order < derivative_order:
        return f"has autograd derivatives up to order {info.max_autograd_order}, not {derivative_order}"
    return "" if grid is None else info.why_not_grid(grid)


def _take(
    name: str, device_type: str, dtype: torch.dtype, derivative_order: int, grid: GridSpec | None = None
) -> Backend:
    """The backend of that name if it fits; what it declares is checked before it is tried."""
    problem = why_not(_load_class(name).info, device_type, dtype, derivative_order, grid)
    if problem:
        raise BackendUnavailable(f"backend '{name}' {problem}; use --backend auto or --backend torch")
    return load_backend(name)


def _load_class(name: str) -> Any:
    """The backend's class; its ``info`` can be read before it is tried."""
    module, attribute = _CLASSES[name]
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, OSError, RuntimeError) as error:
        source = _SOURCES.get(name, "install its package")
        raise BackendUnavailable(
            f"backend '{name}' cannot be loaded ({error}); {source}, or use --backend torch"
        ) from error


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def derivative_order(mode: Mode) -> int:
    """Highest autograd derivative of the field that training a Laplacian formed in this mode takes."""
    return 3 if mode == "autograd" else 1


def require_mode(mode: Mode, info: BackendInfo) -> None:
    """Raises UnsupportedDerivative if a backend cannot train a Laplacian formed in this mode."""
    needed = derivative_order(mode)
    if info.max_autograd_order < needed:
        raise UnsupportedDerivative(
            f"training a Laplacian by autograd needs derivatives of order {needed}; backend '{info.name}' "
            f"supports {info.max_autograd_order}; use --set operators.mode=central or --backend torch"
        )


def check_machine(config: FitConfig) -> None:
    """Asks for device and backend before any work.

    Raises:
        ConfigError: the device is not there.
        BackendUnavailable: the backend asked for by name cannot run.
    """
    choose_backend(config, choose_device(config.device))


def choose_backend(config: FitConfig, device: str, grid: GridSpec | None = None) -> tuple[Backend, str]:
    """The backend of a fit on a device, for a grid if it is known, and the reason (see `select_backend`).

    Raises:
        BackendUnavailable: if a backend asked for by name cannot run here.
    """
    dtype, order = getattr(torch, config.precision), derivative_order(config.operators.mode)
    return select_backend(config.backend, device.partition(":")[0], dtype, order, grid)
