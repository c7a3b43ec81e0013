# SPDX-License-Identifier: MIT
"""Triton kernels. Its modules import triton: ask `has_kernels` first."""

from functools import cache

import torch


def has_kernels(device: torch.device) -> bool:
    """Whether the kernels run on a device: CUDA with a triton that can be loaded."""
    return device.type == "cuda" and _triton_loads()


@cache
def _triton_loads() -> bool:
    try:
        import triton  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return False
    return True
