# SPDX-License-Identifier: MIT
"""Defines the protocol of a compute backend, and what a backend declares about itself.

A backend is a set of pure functions over the weights of `fastsdf.field.network.HashGridSDF` (one table in the layout of
`fastsdf.field.hash_grid.GridSpec`). A checkpoint trained with one backend can therefore be loaded with any other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from fastsdf.errors import UnsupportedDerivative
from fastsdf.field.hash_grid import GridSpec


def any_grid(grid: GridSpec) -> str:
    """Accepts every grid: returns no reason against it."""
    return ""


@dataclass(frozen=True)
class BackendInfo:
    """Capabilities of a backend.

    Attributes:
        name: its name for ``--backend``.
        devices: torch device types that it runs on.
        dtypes: floating-point types that it computes in.
        max_autograd_order: highest order of derivatives of its output, with respect to points and weights together,
            that autograd can compute.
        note: remark for ``fastsdf doctor``.
        why_not_grid: returns the reason why the backend cannot evaluate a grid; empty if it can.
    """

    name: str
    devices: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...]
    max_autograd_order: int
    note: str = ""
    why_not_grid: Callable[[GridSpec], str] = any_grid


class Backend(Protocol):
    """The functions that every backend has."""

    @property
    def info(self) -> BackendInfo:
        """Capabilities of the backend."""
        ...

    def encode(self, x: Tensor, table: Tensor, grid: GridSpec, num_levels: int) -> Tensor:
        """Computes the interpolated features of the first ``num_levels`` levels.

        Args:
            x: (n, 3) points in the unit cube.
            table: (grid.num_entries, features_per_level) entries of all levels.
            grid: layout of the table.
            num_levels: number of levels to evaluate, 1 to grid.num_levels.

        Returns:
            (n, num_levels * features_per_level) features, level by level.
        """
        ...


class FieldWeights(NamedTuple):
    """All weights of a field and the sizes needed to evaluate them.

    Attributes:
        grid: layout of the table.
        reach: half the edge of the grid's cube, which is centred at the origin, in the units of the points.
        table: (grid.num_entries, features_per_level).
        layers: weight (out, in) and bias (out,) of each layer from input to output; the input is [xyz, features].
        softplus_beta: sharpness of the softplus between the layers; 0 means relu.
    """

    grid: GridSpec
    reach: float
    table: Tensor
    layers: Sequence[tuple[Tensor, Tensor]]
    softplus_beta: float


class FusedLevels(NamedTuple):
    """The grid levels to use: the first ``count``, the last of these scaled by ``fade`` (a tensor of one element)."""

    count: int
    fade: Tensor


@runtime_checkable
class FusedBackend(Backend, Protocol):
    """A backend that evaluates the whole field and its central differences in one operation."""

    def evaluate(
        self, weights: FieldWeights, x: Tensor, others: Tensor, step: Tensor, levels: FusedLevels
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Evaluates u with gradient and Laplacian at n points, and u alone at m other points.

        Args:
            weights: weights of the field.
            x: (n, 3) points; n may be 0.
            others: (m, 3) points; m may be 0.
            step: tap distance h of the central differences, a tensor of one element.
            levels: grid levels to use.

        Returns:
            u (n,), grad u (n, 3) and lap u (n,) at ``x``, and u (m,) at ``others``; differentiable once with respect
            to the weights.
        """
        ...


@runtime_checkable
class ActivationBackend(Backend, Protocol):
    """A backend with its own implementation of softplus."""

    def softplus(self, x: Tensor, beta: float) -> Tensor:
        """softplus(beta x) / beta of values of any shape, in one of the backend's types; differentiable once."""
        ...


def refuse_point_gradient(x: Tensor, info: BackendInfo) -> None:
    """Checks that no derivative with respect to the points is needed, for backends that do not have it.

    Raises:
        UnsupportedDerivative: if ``x`` requires a gradient.
    """
    if x.requires_grad:
        raise UnsupportedDerivative(
            f"backend '{info.name}' has no derivative with respect to the points; "
            "use --set operators.mode=central or --backend torch"
        )
