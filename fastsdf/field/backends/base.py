# SPDX-License-Identifier: MIT
"""What a compute backend must offer, and what it declares about itself.

A backend is a set of pure functions over the weights of `fastsdf.field.network.HashGridSDF` (one table in the layout of
`fastsdf.field.hash_grid.GridSpec`), so a checkpoint trained on one backend loads on every other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from fastsdf.errors import UnsupportedDerivative
from fastsdf.field.hash_grid import GridSpec


def any_grid(grid: GridSpec) -> str:
    """No objection to a grid."""
    return ""


@dataclass(frozen=True)
class BackendInfo:
    """Facts about a backend.

    Attributes:
        name: what ``--backend`` calls it.
        devices: torch device types it runs on.
        dtypes: floating-point types it computes in.
        max_autograd_order: highest derivative of its output that autograd can form (and still train).
        note: what else one should know, for ``fastsdf doctor``.
        why_not_grid: says why the backend cannot evaluate a grid; empty if it can.
    """

    name: str
    devices: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...]
    max_autograd_order: int
    note: str = ""
    why_not_grid: Callable[[GridSpec], str] = any_grid


class Backend(Protocol):
    """The narrow protocol of a backend."""

    @property
    def info(self) -> BackendInfo:
        """What the backend can do."""
        ...

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """Interpolated features of the first ``num_levels`` levels.

        Args:
            x: (n, 3) points of the unit cube.
            table: (grid.num_entries, features_per_level) entries of all levels.
            grid: layout of the table.
            num_levels: levels to evaluate, 1 to grid.num_levels.

        Returns:
            (n, num_levels * features_per_level) features, level by level.
        """
        ...


class FieldWeights(NamedTuple):
    """All weights of a field and what they mean.

    Attributes:
        grid: layout of the table.
        reach: half the edge of the grid's cube, which is centred at the origin of the frame of the points.
        table: (grid.num_entries, features_per_level).
        layers: weight (out, in) and bias (out,) of each layer of the network on [xyz, features], input to output.
        softplus_beta: sharpness of the softplus between the layers; 0: relu.
    """

    grid: GridSpec
    reach: float
    table: Tensor
    layers: Sequence[tuple[Tensor, Tensor]]
    softplus_beta: float


class FusedLevels(NamedTuple):
    """The first ``count`` levels, of which the last is scaled by ``fade`` (a tensor of one element)."""

    count: int
    fade: Tensor


@runtime_checkable
class FusedBackend(Backend, Protocol):
    """A backend that evaluates the whole field and its central differences at once."""

    def evaluate(
        self, weights: FieldWeights, x: Tensor, others: Tensor, step: Tensor, levels: FusedLevels
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The field with its differences at some points, and its values alone at others.

        Args:
            weights: the field.
            x: (n, 3) points, n may be 0.
            others: (m, 3) points, m may be 0.
            step: tap distance h of the central differences, a tensor of one element.
            levels: grid levels to use.

        Returns:
            u (n,), grad u (n, 3) and lap u (n,) at ``x``, and u (m,) at ``others``; differentiable once with respect
            to the weights.
        """
        ...


@runtime_checkable
class ActivationBackend(Backend, Protocol):
    """A backend with a softplus of its own."""

    def softplus(self, x: Tensor, beta: float) -> Tensor:
        """softplus(beta x) / beta of hidden values of any shape, differentiable once, in one of the backend's types."""
        ...


def refuse_point_gradient(x: Tensor, info: BackendInfo) -> None:
    """Raises UnsupportedDerivative if a derivative with respect to the points is wanted of a backend that has none."""
    if x.requires_grad:
        raise UnsupportedDerivative(
            f"backend '{info.name}' has no derivative with respect to the points; "
            "use --set operators.mode=central or --backend torch"
        )
