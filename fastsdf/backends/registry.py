# SPDX-License-Identifier: MIT
"""Which backends exist, which of them run here, and which one ``auto`` takes."""

import importlib

import torch

from fastsdf.backends.base import Backend
from fastsdf.errors import BackendUnavailable

_CLASSES = {
    "triton": ("fastsdf.backends.triton_gpu", "TritonBackend"),
    "numba": ("fastsdf.backends.numba_cpu", "NumbaBackend"),
    "torch": ("fastsdf.backends.torch_reference", "TorchBackend"),
}
BACKEND_NAMES = tuple(_CLASSES)


def load_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        BackendUnavailable: if its package is missing or does not load.
    """
    module, attribute = _CLASSES[name]
    try:
        return getattr(importlib.import_module(module), attribute)()
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendUnavailable(
            f"backend '{name}' cannot be loaded ({error}); install its package, or use --backend torch"
        ) from error


def select_backend(name: str, device_type: str, dtype: torch.dtype, derivative_order: int) -> tuple[Backend, str]:
    """The backend asked for by name, or for ``auto`` the fastest that fits the rest.

    Args:
        name: one of `BACKEND_NAMES`, or ``auto``.
        device_type: torch device type to run on.
        dtype: float type to compute in.
        derivative_order: highest autograd derivative of the field that training takes, see
            `fastsdf.operators.derivative_order`.

    Returns:
        The backend and the reason for the choice, for the report.

    Raises:
        BackendUnavailable: if a backend asked for by name cannot run; ``auto`` falls back instead.
    """
    if name != "auto":
        backend = load_backend(name)
        problem = why_not(backend, device_type, dtype, derivative_order)
        if problem:
            raise BackendUnavailable(f"backend '{name}' {problem}; use --backend auto or --backend torch")
        return backend, "asked for"
    passed_over = []
    for candidate in BACKEND_NAMES:
        try:
            backend = load_backend(candidate)
        except BackendUnavailable as error:
            passed_over.append(str(error).partition(";")[0])
            continue
        problem = why_not(backend, device_type, dtype, derivative_order)
        if not problem:
            return backend, "; ".join([f"fastest usable on {device_type}", *passed_over])
        passed_over.append(f"backend '{candidate}' {problem}")
    raise BackendUnavailable(f"no backend runs on {device_type} in {_short(dtype)}: {'; '.join(passed_over)}")


def why_not(backend: Backend, device_type: str, dtype: torch.dtype, derivative_order: int) -> str:
    """Why a loaded backend does not do for these arguments of `select_backend`; empty if it does."""
    info = backend.info
    if device_type not in info.devices:
        return f"runs on {' and '.join(info.devices)}, not on {device_type}"
    if dtype not in info.dtypes:
        return f"computes in {' and '.join(map(_short, info.dtypes))}, not in {_short(dtype)}"
    if info.max_autograd_order < derivative_order:
        return f"has autograd derivatives up to order {info.max_autograd_order}, not {derivative_order}"
    return ""


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
