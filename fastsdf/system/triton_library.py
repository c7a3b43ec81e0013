# SPDX-License-Identifier: MIT
"""Tests whether Triton kernels can run; call `has_triton` before importing a module of a ``triton`` package."""

from functools import cache

import torch


def has_triton(device: torch.device) -> bool:
    """Whether Triton kernels run on a device: it is a CUDA device, and triton can be imported."""
    return device.type == "cuda" and _triton_loads()


@cache
def _triton_loads() -> bool:
    try:
        import triton  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return False
    return True
