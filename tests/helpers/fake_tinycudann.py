# SPDX-License-Identifier: MIT
"""Imitates the parts of tinycudann that the adapter uses, on the CPU, including the checks of its C++ bindings.

The values come from `tcnn_rules`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.helpers import tcnn_rules

GRANULARITY = 256  # tiny-cuda-nn needs a number of points that is a multiple of this


class Native:
    """Replaces ``tinycudann.Encoding(...).native_tcnn_module``; ``error`` is added to all results."""

    error = 0.0

    def __init__(self, config: dict[str, Any]):
        self.config = config

    def n_params(self) -> int:
        """Number of parameters."""
        return tcnn_rules.offset_table(self.config)[-1] * self.config["n_features_per_level"]

    def fwd(self, x: Tensor, params: Tensor) -> tuple[Any, Tensor]:
        """A context for `bwd`, or None if no gradient is required, and the features."""
        self._check(x, params)
        assert params.data_ptr() % 4 == 0
        encoded, rows, weights = tcnn_rules.encode(x.numpy(), params.detach().numpy(), self.config)
        trained = x.requires_grad or params.requires_grad
        return ((rows, weights) if trained else None), torch.from_numpy(encoded) + self.error

    def bwd(self, context: Any, x: Tensor, params: Tensor, out: Tensor, grad: Tensor) -> tuple[None, Tensor | None]:
        """The gradients: None for the points, and that of the parameters if they require one."""
        self._check(x, params)
        if context is None:
            raise RuntimeError(
                "Module::bwd: called with invalid context. fwd likely (mistakenly) ran in inference mode."
            )
        assert grad.is_contiguous() and grad.shape == out.shape and grad.dtype == torch.float32
        if not params.requires_grad:
            return None, None
        rows, weights = context
        features = self.config["n_features_per_level"]
        total = np.zeros((self.n_params() // features, features), np.float32)
        each = grad.numpy().reshape(len(x), -1, 1, features) * weights[..., None]
        np.add.at(total, rows.reshape(-1), each.reshape(-1, features))
        return None, torch.from_numpy(total.reshape(-1)) + self.error

    def _check(self, x: Tensor, params: Tensor) -> None:
        assert x.is_contiguous() and x.dtype == torch.float32 and x.shape[1] == 3
        assert params.is_contiguous() and params.dtype == torch.float32 and params.shape == (self.n_params(),)
        assert len(x) % GRANULARITY == 0
        assert len(x) > 0, "the real module leaves the gradient uninitialised"


class Encoding:
    """Replaces ``tinycudann.Encoding``."""

    native_class = Native

    def __init__(self, n_input_dims: int, config: dict[str, Any], seed: int = 1337, dtype: torch.dtype | None = None):
        assert n_input_dims == 3 and dtype == torch.float32 and config["otype"] == "HashGrid"
        assert config["n_levels"] * config["n_features_per_level"] * 8 <= 1024
        self.native_tcnn_module = self.native_class(config)


class WrongNative(Native):
    """A faulty build, with wrong results."""

    error = 0.25


class WrongEncoding(Encoding):
    """An encoding of the faulty build."""

    native_class = WrongNative
