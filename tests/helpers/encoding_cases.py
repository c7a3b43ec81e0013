# SPDX-License-Identifier: MIT
"""Points and tables, for the tests that compare the encoding of a backend with the torch reference."""

import torch
from torch import Tensor

from fastsdf.field.backends.base import Backend
from fastsdf.field.hash_grid import GridSpec


def grid_with(features: int, levels: int = 5) -> GridSpec:
    """A small grid with dense and hashed levels."""
    return GridSpec(levels, features, log2_table_size=10, base_resolution=5, finest_resolution=67)


def points(count: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> Tensor:
    """Random points (count, 3) float64, uniform in [low, high]^3."""
    unit = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * unit


def stencil_points(count: int, step: float, seed: int = 0) -> Tensor:
    """Stencils (7 * count, 3): each centre is followed by its six taps at distance ``step``."""
    arms = step * torch.eye(3, dtype=torch.float64)
    offsets = torch.cat([torch.zeros(1, 3, dtype=torch.float64), arms, -arms])
    return (points(count, seed=seed)[:, None] + offsets).reshape(-1, 3)


def table_for(grid: GridSpec, seed: int = 1) -> Tensor:
    """A table with normally distributed float64 entries."""
    shape = (grid.num_entries, grid.features_per_level)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def encode_and_gradient(
    backend: Backend, x: Tensor, grid: GridSpec, levels: int, dtype: torch.dtype, device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Features (n, levels * features), and the gradient (entries, features) of a fixed weighted sum of them."""
    table = table_for(grid).to(device, dtype).requires_grad_(True)
    encoded = backend.encode(x.to(device, dtype), table, grid, levels)
    weights = torch.randn(encoded.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (encoded * weights.to(device, dtype)).sum().backward()
    assert table.grad is not None
    return encoded.detach(), table.grad
