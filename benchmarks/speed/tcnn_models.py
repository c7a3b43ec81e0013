# SPDX-License-Identifier: MIT
"""Fields made of tiny-cuda-nn's own modules, in the configuration of `step.py`; the import needs tinycudann.

Two differences favour tiny-cuda-nn: its network has no biases and no positions as inputs, and it uses ReLU, which is
faster than softplus. Lengths (h and the points) are in edges of the grid's cube.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import tinycudann  # pyright: ignore[reportMissingImports]
import torch
from torch import Tensor, nn

from benchmarks.speed.step_cases import Case, Setting, draw_points, without_grad
from fastsdf.field.backends.tiny_cuda_nn import encoding_config
from fastsdf.field.network import GRID_REACH


class FullyFused(nn.Module):
    """The float16 encoding and the fully fused network of tiny-cuda-nn as one module, with or without JIT fusion."""

    def __init__(self, setting: Setting, jit: bool):
        super().__init__()
        network = {
            "otype": "FullyFusedMLP",
            "activation": "ReLU",
            "output_activation": "None",
            "n_neurons": setting.width,
            "n_hidden_layers": setting.layers,
        }
        encoding = encoding_config(setting.grid, setting.grid.num_levels)
        self.model = tinycudann.NetworkWithInputEncoding(3, 1, encoding, network)
        self.model.jit_fusion = jit

    def forward(self, x: Tensor) -> Tensor:
        """u (n,) at points (n, 3)."""
        return self.model(x)[:, 0].float()


class FloatEncoding(nn.Module):
    """The float32 encoding of tiny-cuda-nn with a network of torch."""

    def __init__(self, setting: Setting):
        super().__init__()
        levels = setting.grid.num_levels
        self.encoding = tinycudann.Encoding(3, encoding_config(setting.grid, levels), dtype=torch.float32)
        widths = [setting.grid.num_features] + [setting.width] * setting.layers
        hidden = [m for a, b in itertools.pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
        self.network = nn.Sequential(*hidden, nn.Linear(setting.width, 1)).cuda()

    def forward(self, x: Tensor) -> Tensor:
        """u (n,) at points (n, 3)."""
        return self.network(self.encoding(x))[:, 0]


def models(setting: Setting) -> Iterator[tuple[str, Callable[[], nn.Module], bool]]:
    """Yields the name of each variant, a function that makes it, and whether torch may use TF32 for matrix products."""
    yield "tiny-cuda-nn, fp16 fully fused", lambda: FullyFused(setting, False), False
    if tinycudann.supports_jit_fusion():
        yield "tiny-cuda-nn, fp16 fully fused, JIT", lambda: FullyFused(setting, True), False
    yield "tiny-cuda-nn fp32 encoding, torch network", lambda: FloatEncoding(setting), False
    yield "tiny-cuda-nn fp32 encoding, torch network TF32", lambda: FloatEncoding(setting), True


def stencil_points(x: Tensor, h: float, by_point: bool) -> Tensor:
    """Taps (7n, 3) of a central stencil around points (n, 3), sorted by point or by tap."""
    arms = h * torch.eye(3, device=x.device)
    offsets = torch.cat([torch.zeros(1, 3, device=x.device), arms, -arms])
    taps = x[:, None] + offsets if by_point else x[None] + offsets[:, None]
    return taps.reshape(-1, 3)


def model_cases(model: nn.Module, setting: Setting, by_point: bool) -> Iterator[Case]:
    """Yields the cases of `step_cases.field_cases` that do not need a `HashGridSDF`."""
    x, h = draw_points(setting, "cuda") / (2 * GRID_REACH) + 0.5, setting.step

    def stencil() -> tuple[Tensor, Tensor]:
        u = model(stencil_points(x, h, by_point))
        u = u.reshape(-1, 7).T if by_point else u.reshape(7, -1)
        return (u[1:4] - u[4:]).T / (2 * h), (u[1:] - u[0]).sum(0) / h**2

    def residual() -> Tensor:
        gradient, laplacian = stencil()
        return (gradient.norm(dim=1) - 1 - h * laplacian).abs().mean()

    def step(loss: Callable[[], Tensor]) -> Any:
        model.zero_grad(set_to_none=True)
        loss().backward()

    yield "fwd7", without_grad(stencil)
    yield "step7", lambda: step(residual)
    yield "fwd1", without_grad(lambda: model(x))
    yield "step1", lambda: step(lambda: model(x).abs().mean())


def jit_note(model: nn.Module) -> str:
    """Tells whether JIT fusion is still on; tiny-cuda-nn turns it off when its compilation fails."""
    has_jit = isinstance(model, FullyFused)
    return f"JIT {'on' if model.model.jit_fusion else 'off'} at the end" if has_jit else ""
