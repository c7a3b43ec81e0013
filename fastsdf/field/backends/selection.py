# SPDX-License-Identifier: MIT
"""Lists the backends, tests which of them can run, and selects one for ``auto``."""

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

# Backends by name, in the order in which "auto" tries them; hints for those that cannot be installed with pip.
_CLASSES = {
    "triton": ("fastsdf.field.backends.triton_gpu", "TritonBackend"),
    "tcnn": ("fastsdf.field.backends.tiny_cuda_nn", "TinyCudaNNBackend"),
    "numba": ("fastsdf.field.backends.numba_cpu", "NumbaBackend"),
    "torch": ("fastsdf.field.backends.torch_reference", "TorchBackend"),
}
BACKEND_NAMES = tuple(_CLASSES)
_INSTALL_HINTS = {"triton": "it runs on NVIDIA GPUs and comes with the CUDA builds of torch"}


def load_backend(name: str) -> Backend:
    """Loads the backend with this name; tiny-cuda-nn is first tested in a child process.

    Raises:
        BackendUnavailable: if its package is missing, cannot be loaded, or fails the test.
    """
    backend_class = _load_class(name)
    problem = probe_tiny_cuda_nn() if name == "tcnn" else ""
    if problem:
        raise BackendUnavailable(
            f"backend '{name}' cannot be loaded ({problem}); see docs/guides/backends.md for the installation, "
            "or use --backend torch"
        )
    return backend_class()


def select_backend(
    name: str, device_type: str, dtype: torch.dtype, derivative_order: int, grid: GridSpec | None = None
) -> tuple[Backend, str]:
    """Selects the backend with this name, or for ``auto`` the fastest one that meets the requirements.

    Args:
        name: one of `BACKEND_NAMES`, or ``auto``.
        device_type: torch device type to run on.
        dtype: floating-point type to compute in.
        derivative_order: highest autograd derivative of the field that training needs, see the function
            `derivative_order`.
        grid: the grid to evaluate; None if it is not known yet.

    Returns:
        The backend and the reason for the choice, for the report.

    Raises:
        BackendUnavailable: if the backend with this name cannot run, or for ``auto`` if none can.
    """
    requirements = (device_type, dtype, derivative_order, grid)
    if name != "auto":
        return _load_fitting(name, *requirements), "chosen by name"
    passed_over = []
    for candidate in BACKEND_NAMES:
        try:
            backend = _load_fitting(candidate, *requirements)
        except BackendUnavailable as error:
            passed_over.append(str(error).partition(";")[0])
        else:
            return backend, "; ".join([f"fastest usable on {device_type}", *passed_over])
    raise BackendUnavailable(f"no backend runs on {device_type} in {_short(dtype)}: {'; '.join(passed_over)}")


def why_not(
    info: BackendInfo, device_type: str, dtype: torch.dtype, derivative_order: int, grid: GridSpec | None = None
) -> str:
    """The reason why a backend does not meet the requirements of `select_backend`; empty if it does."""
    if device_type not in info.devices:
        return f"runs on {' and '.join(info.devices)}, not on {device_type}"
    if dtype not in info.dtypes:
        return f"computes in {' and '.join(map(_short, info.dtypes))}, not in {_short(dtype)}"
    if info.max_autograd_order < derivative_order:
        return f"has autograd derivatives up to order {info.max_autograd_order}, not {derivative_order}"
    return "" if grid is None else info.why_not_grid(grid)


def _load_fitting(
    name: str, device_type: str, dtype: torch.dtype, derivative_order: int, grid: GridSpec | None = None
) -> Backend:
    """Loads the backend with this name if it meets the requirements, which is checked before it is loaded."""
    problem = why_not(_load_class(name).info, device_type, dtype, derivative_order, grid)
    if problem:
        raise BackendUnavailable(f"backend '{name}' {problem}; use --backend auto or --backend torch")
    return load_backend(name)


def _load_class(name: str) -> Any:
    """The class of a backend; its ``info`` can be read before the backend is tested."""
    module, attribute = _CLASSES[name]
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, OSError, RuntimeError) as error:
        hint = _INSTALL_HINTS.get(name, "install its package")
        raise BackendUnavailable(
            f"backend '{name}' cannot be loaded ({error}); {hint}, or use --backend torch"
        ) from error


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def derivative_order(mode: Mode) -> int:
    """Highest autograd derivative of the field that training needs if the Laplacian is computed in this mode."""
    return 3 if mode == "autograd" else 1


def require_mode(mode: Mode, info: BackendInfo) -> None:
    """Checks that a backend can train with a Laplacian that is computed in this mode.

    Raises:
        UnsupportedDerivative: if it cannot.
    """
    needed = derivative_order(mode)
    if info.max_autograd_order < needed:
        raise UnsupportedDerivative(
            f"training a Laplacian by autograd needs derivatives of order {needed}; backend '{info.name}' "
            f"supports {info.max_autograd_order}; use --set operators.mode=central or --backend torch"
        )


def check_machine(config: FitConfig) -> None:
    """Checks that the device and the backend of a configuration can be used, before any work is done.

    Raises:
        ConfigError: if the device does not exist.
        BackendUnavailable: if the backend cannot run.
    """
    choose_backend(config, choose_device(config.device))


def choose_backend(config: FitConfig, device: str, grid: GridSpec | None = None) -> tuple[Backend, str]:
    """Selects the backend of a fit on a device, and gives the reason for the choice (see `select_backend`).

    Raises:
        BackendUnavailable: if the backend cannot run.
    """
    dtype, order = getattr(torch, config.precision), derivative_order(config.operators.mode)
    return select_backend(config.backend, device.partition(":")[0], dtype, order, grid)
