# SPDX-License-Identifier: MIT
"""Products of batches of 3-vectors."""

from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Dot products (...) of vectors (..., 3); written out because a sum over so short an axis is slower."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
