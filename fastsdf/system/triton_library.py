# SPDX-License-Identifier: MIT
"""Whether Triton kernels can run: modules in the ``triton`` packages import triton, so ask `has_triton` first."""

from functools import cache

import torch


def has_triton(device: torch.device) -> bool:
    """Whether the kernels run on a device: CUDA with a triton that can be loaded."""
    return device.type == "cuda" and _triton_loads()


@cache
def _triton_loads() -> bool:
    try:
        import triton  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return False
    return True
