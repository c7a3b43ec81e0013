# SPDX-License-Identifier: MIT
"""What the adapter uses of the package tinycudann, on the CPU by `tcnn_rules`, with the checks of its C++ bindings."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.helpers import tcnn_rules

GRANULARITY = 256


class Native:
    """Stands for ``tinycudann.Encoding(...).native_tcnn_module``; ``error`` is added to what it gives."""

    error = 0.0

    def __init__(self, config: dict[str, Any]):
        self.config = config

    def n_params(self) -> int:
        """Number of parameters."""
        return tcnn_rules.offset_table(self.config)[-1] * self.config["n_features_per_level"]

    def fwd(self, x: Tensor, params: Tensor) -> tuple[Any, Tensor]:
        """Features, and a context for `bwd` unless nothing requires a gradient."""
        self._check(x, params)
        assert params.data_ptr() % 4 == 0
        encoded, rows, weights = tcnn_rules.encode(x.numpy(), params.detach().numpy(), self.config)
        trained = x.requires_grad or params.requires_grad
        return ((rows, weights) if trained else None), torch.from_numpy(encoded) + self.error

    def bwd(self, context: Any, x: Tensor, params: Tensor, out: Tensor, grad: Tensor) -> tuple[None, Tensor | None]:
        """No gradient of the points, and that of the parameters if they require one."""
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
        assert len(x) > 0, "the real one leaves the gradient uninitialised"


class Encoding:
    """Stands for ``tinycudann.Encoding``."""

    native_class = Native

    def __init__(self, n_input_dims: int, config: dict[str, Any], seed: int = 1337, dtype: torch.dtype | None = None):
        assert n_input_dims == 3 and dtype == torch.float32 and config["otype"] == "HashGrid"
        assert config["n_levels"] * config["n_features_per_level"] * 8 <= 1024
        self.native_tcnn_module = self.native_class(config)


class WrongNative(Native):
    """A build that computes something else."""

    error = 0.25


class WrongEncoding(Encoding):
    """An encoding of such a build."""

    native_class = WrongNative
