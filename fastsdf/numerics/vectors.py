# SPDX-License-Identifier: MIT
"""Products of many three-dimensional vectors."""

from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar products (...) over the last axis, of length 3; coordinate by coordinate, which beats a sum of three."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
