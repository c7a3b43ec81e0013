# SPDX-License-Identifier: MIT
"""Quantiles on the device of the values: numpy's on the CPU, by sorting on other devices.

`torch.quantile` is not used because it refuses more than 16 million values.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def quantiles(values: Tensor, probabilities: Sequence[float]) -> np.ndarray:
    """Quantiles along the first axis, interpolated linearly between neighbouring values.

    Args:
        values: (n, ...).
        probabilities: in [0, 1].

    Returns:
        (len(probabilities), ...) float64.
    """
    if values.device.type == "cpu":
        return np.quantile(values.numpy(), probabilities, axis=0)
    ordered = values.sort(0).values
    rank = np.asarray(probabilities) * (len(values) - 1)
    below = np.floor(rank).astype(np.int64)
    both = torch.as_tensor(np.stack([below, np.minimum(below + 1, len(values) - 1)]), device=values.device)
    low, high = ordered[both].double().cpu().numpy()
    return low + (high - low) * (rank - below).reshape(-1, *(1,) * (values.ndim - 1))


def nearest_quantiles(values: Tensor, probabilities: Sequence[float]) -> np.ndarray:
    """`quantiles` without interpolation: the values (n, ...) of the nearest ranks, in their own type."""
    if values.device.type == "cpu":
        return np.quantile(values.numpy(), probabilities, axis=0, method="nearest")
    rank = torch.as_tensor([round(p * (len(values) - 1)) for p in probabilities], device=values.device)
    return values.sort(0).values[rank].cpu().numpy()


def median(values: Tensor) -> float:
    """Median of the values (n,)."""
    return float(np.median(values.numpy()) if values.device.type == "cpu" else quantiles(values, (0.5,))[0])
