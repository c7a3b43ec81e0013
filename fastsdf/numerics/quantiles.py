# SPDX-License-Identifier: MIT
"""Quantiles of many values on their device: numpy's on the CPU, by sorting elsewhere (torch's end at 16 million)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def quantiles(values: Tensor, shares: Sequence[float]) -> np.ndarray:
    """(len(shares), ...) float64 quantiles of values (n, ...) along the first axis, linear between neighbours."""
    if values.device.type == "cpu":
        return np.quantile(values.numpy(), shares, axis=0)
    ranked = values.sort(0).values
    at = np.asarray(shares) * (len(values) - 1)
    below = np.floor(at).astype(np.int64)
    both = torch.as_tensor(np.stack([below, np.minimum(below + 1, len(values) - 1)]), device=values.device)
    low, high = ranked[both].double().cpu().numpy()
    return low + (high - low) * (at - below).reshape(-1, *(1,) * (values.ndim - 1))


def ranked_values(values: Tensor, shares: Sequence[float]) -> np.ndarray:
    """(len(shares), ...) the values (n, ...) whose ranks along the first axis are nearest to the quantiles."""
    if values.device.type == "cpu":
        return np.quantile(values.numpy(), shares, axis=0, method="nearest")
    at = torch.as_tensor([round(share * (len(values) - 1)) for share in shares], device=values.device)
    return values.sort(0).values[at].cpu().numpy()


def median(values: Tensor) -> float:
    """Median of values (n,)."""
    return float(np.median(values.numpy()) if values.device.type == "cpu" else quantiles(values, (0.5,))[0])
