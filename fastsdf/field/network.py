# SPDX-License-Identifier: MIT
"""Defines the neural field u(x): a small softplus network on hash-grid features and xyz; u > 0 in free space."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fastsdf.config.models import FieldConfig
from fastsdf.errors import ConfigError
from fastsdf.field.backends.base import ActivationBackend, Backend, FieldWeights, FusedBackend, FusedLevels
from fastsdf.field.finite_differences import Mode, Stencil, differentiate
from fastsdf.field.hash_grid import GridSpec

GRID_REACH = 1.25  # half edge of the grid's cube, unit frame; chosen: the scan's box, its padding and room for taps
START_FEATURE = 1e-4  # bound of the initial entries, as in instant-NGP


@dataclass(frozen=True)
class FieldSpec:
    """Sizes of a field; together with the weights they define it.

    Attributes:
        grid: hash grid over the cube [-GRID_REACH, GRID_REACH]^3 of the unit frame (the scan fills [-1, 1]^3).
        hidden_width: units of each hidden layer of the network.
        hidden_layers: number of hidden layers.
        softplus_beta: sharpness of the softplus.
        activation: softplus or relu.
    """

    grid: GridSpec
    hidden_width: int
    hidden_layers: int
    softplus_beta: float
    activation: str = "softplus"

    @staticmethod
    def from_config(config: FieldConfig, half_extent_m: float) -> "FieldSpec":
        """The sizes of the field of a resolved configuration, in a scene with this half extent in metres.

        Raises:
            ConfigError: if the finest level would be coarser than the base level.
        """
        assert config.num_levels and config.log2_table_size and config.voxel_size_m
        finest = round(2 * GRID_REACH * half_extent_m / config.voxel_size_m) + 1
        if finest < config.base_resolution:
            limit = 2 * GRID_REACH * half_extent_m / (config.base_resolution - 1)
            raise ConfigError(
                f"field.voxel_size_m is {config.voxel_size_m:g}, coarser than the base level's cell of {limit:.4g}; "
                f"set a smaller field.voxel_size_m or a smaller field.base_resolution"
            )
        grid = GridSpec(
            config.num_levels, config.features_per_level, config.log2_table_size, config.base_resolution, finest
        )
        return FieldSpec(grid, config.hidden_width, config.hidden_layers, config.softplus_beta, config.activation)

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @staticmethod
    def from_state(state: dict[str, Any]) -> "FieldSpec":
        """The field sizes of a checkpoint; inverse of `state`."""
        return FieldSpec(**{**state, "grid": GridSpec(**state["grid"])})


class HashGridSDF(nn.Module):
    """The field u(x) in the unit frame, with u > 0 in free space.

    Args:
        spec: sizes of grid and network.
        backend: computes the encoding, or the whole field if it can.
        generator: seeded CPU generator for the initial weights.
    """

    def __init__(self, spec: FieldSpec, backend: Backend, generator: torch.Generator):
        super().__init__()
        self.spec = spec
        self.backend = backend
        grid = spec.grid
        table = torch.rand(grid.num_entries, grid.features_per_level, generator=generator)
        self.table = nn.Parameter((2 * table - 1) * START_FEATURE)
        widths = [3 + grid.num_features] + [spec.hidden_width] * spec.hidden_layers + [1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        _geometric_init(self.linears, generator)

    @property
    def linears(self) -> list[nn.Linear]:
        """Layers of the network, from input to output."""
        return cast(list[nn.Linear], list(self.layers))

    def forward(self, x: Tensor, active_levels: float) -> Tensor:
        """u (n,) at (n, 3) unit-frame points from the first ``active_levels`` levels; a fractional level is faded."""
        count, fade = split_levels(active_levels, self.spec.grid.num_levels)
        if self.fuses("central") and not x.requires_grad:
            return self._fused(x[:0], x, count, fade, 1.0)[3]
        return self.network(x, self.features(x, count, fade))

    def stencil(
        self, x: Tensor, others: Tensor, count: int, fade: float | Tensor, step: float | Tensor, mode: Mode = "central"
    ) -> tuple[Stencil, Tensor]:
        """Evaluates u with gradient and Laplacian at n points, and u alone at m other points.

        Args:
            x: (n, 3) unit-frame points, n may be 0.
            others: (m, 3) unit-frame points, m may be 0.
            count: number of levels to use.
            fade: weight of the last of these levels; a number, or a tensor of one element if the backend fuses the
                mode (`fuses`).
            step: tap distance h of finite differences, unit frame; same types as ``fade``.
            mode: how the derivatives are computed.

        Returns:
            The stencil at ``x``, and u (m,) at ``others``.
        """
        if self.fuses(mode):
            sdf, gradient, laplacian, values = self._fused(x, others, count, fade, step)
            return Stencil(sdf, gradient, laplacian), values

        def field(points: Tensor) -> Tensor:
            return self.network(points, self.features(points, count, fade))

        both = differentiate(field, x, float(step), mode)
        return both, field(others) if len(others) else others.new_zeros(0)

    def features(self, x: Tensor, count: int, fade: float | Tensor = 1.0) -> Tensor:
        """Features (n, count * features_per_level) of the first ``count`` levels, the last one scaled by ``fade``."""
        grid = self.spec.grid
        encoded = self.backend.encode(x / (2 * GRID_REACH) + 0.5, self.table, grid, count)
        if isinstance(fade, float) and fade >= 1.0:
            return encoded
        kept = encoded.shape[1] - grid.features_per_level
        return torch.cat([encoded[:, :kept], fade * encoded[:, kept:]], dim=1)

    def fuses(self, mode: Mode) -> bool:
        """Whether the backend evaluates the field and its finite differences in this mode as one operation."""
        known = mode == "central" and self.spec.grid.features_per_level in (1, 2, 4, 8)
        return known and isinstance(self.backend, FusedBackend) and self.table.dtype in self.backend.info.dtypes

    def _fused(
        self, x: Tensor, others: Tensor, count: int, fade: float | Tensor, step: float | Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `fastsdf.field.backends.base.FusedBackend.evaluate`."""
        assert isinstance(self.backend, FusedBackend)
        beta = self.spec.softplus_beta if self.spec.activation == "softplus" else 0.0
        layers = [(layer.weight, layer.bias) for layer in self.linears]
        weights = FieldWeights(self.spec.grid, GRID_REACH, self.table, layers, beta)
        fade, step = (v if isinstance(v, Tensor) else self.table.new_full((), v) for v in (fade, step))
        return self.backend.evaluate(weights, x, others, step, FusedLevels(count, fade))

    def network(self, x: Tensor, features: Tensor) -> Tensor:
        """u (n,) by the network from xyz (n, 3) and grid features; weights of locked levels are not used."""
        first, *others = self.linears
        hidden = torch.cat([x, features], dim=1)
        hidden = functional.linear(hidden, first.weight[:, : hidden.shape[1]], first.bias)
        for layer in others:
            hidden = layer(self.activation(hidden))
        return hidden.squeeze(-1)

    def activation(self, hidden: Tensor) -> Tensor:
        """Applies the activation of the hidden layers."""
        if self.spec.activation == "relu":
            return functional.relu(hidden)
        if isinstance(self.backend, ActivationBackend):
            return self.backend.softplus(hidden, self.spec.softplus_beta)
        return functional.softplus(hidden, self.spec.softplus_beta)

    def step_size(self, active_levels: float, step_cells: float) -> float:
        """Finite-difference step h, unit frame: ``step_cells`` cells of the finest active level."""
        return step_cells * 2 * GRID_REACH * self.spec.grid.cell_size(active_levels)

    def parameter_groups(self) -> dict[str, list[Tensor]]:
        """Parameters by the name of their learning rate."""
        return {"grid": [self.table], "network": list(self.layers.parameters())}


def split_levels(active_levels: float, num_levels: int) -> tuple[int, float]:
    """Splits a fractional number of active levels into the number of levels to evaluate and the last one's weight."""
    count = min(math.ceil(active_levels), num_levels)
    return count, min(active_levels - (count - 1), 1.0)


def _geometric_init(layers: Sequence[nn.Linear], generator: torch.Generator, radius: float = 0.9) -> None:
    """Initialises the layers so that u is about radius - |x|: an inverted ball, positive inside.

    From Atzmon & Lipman 2020 (SAL), theorem 1, negated. The default radius is chosen.
    """
    with torch.no_grad():
        for layer in layers[:-1]:
            std = math.sqrt(2.0 / layer.out_features)
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * std)
            layer.bias.zero_()
        last = layers[-1]
        mean = math.sqrt(math.pi / last.in_features)
        last.weight.copy_(-mean - 1e-4 * torch.randn(last.weight.shape, generator=generator))
        last.bias.fill_(radius)
