# SPDX-License-Identifier: MIT
"""Gradients and Laplacians against closed forms, their order in h, and their gradients in the parameters."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from fastsdf.errors import UnsupportedDerivative
from fastsdf.field.backends.base import BackendInfo
from fastsdf.field.backends.selection import require_mode
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.finite_differences import Mode, Stencil, differentiate
from fastsdf.field.hash_grid import GridSpec

MODES: tuple[Mode, ...] = ("central", "tetrahedral", "autograd")
WAVE = torch.tensor([1.3, -0.7, 2.1], dtype=torch.float64)


class Surface(NamedTuple):
    """A field and its exact derivatives, each mapping (n, 3) points."""

    field: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor], Tensor]
    laplacian: Callable[[Tensor], Tensor]


def _torus(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distance rho to the axis, rho - 0.6 and distance q to the circle of radius 0.6."""
    rho = x[:, :2].norm(dim=1)
    return rho, rho - 0.6, torch.sqrt((rho - 0.6) ** 2 + x[:, 2] ** 2)


def _torus_gradient(x: Tensor) -> Tensor:
    rho, out, q = _torus(x)
    return torch.stack([out * x[:, 0] / (q * rho), out * x[:, 1] / (q * rho), x[:, 2] / q], dim=1)


def _torus_laplacian(x: Tensor) -> Tensor:
    rho, out, q = _torus(x)
    return 1 / q + out / (q * rho)


SURFACES = {
    "sphere": Surface(lambda x: x.norm(dim=1) - 0.5, lambda x: x / x.norm(dim=1)[:, None], lambda x: 2 / x.norm(dim=1)),
    "torus": Surface(lambda x: _torus(x)[2] - 0.2, _torus_gradient, _torus_laplacian),
    "sine": Surface(
        lambda x: torch.sin(x @ WAVE + 0.4),
        lambda x: torch.cos(x @ WAVE + 0.4)[:, None] * WAVE,
        lambda x: -(WAVE @ WAVE) * torch.sin(x @ WAVE + 0.4),
    ),
}
NAMES = pytest.mark.parametrize("name", SURFACES)


def _points(count: int = 200) -> Tensor:
    """Points (n, 3) with 0.3 <= radius and a distance of 0.1 or more to the torus's axis and circle."""
    x = torch.rand(4 * count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    rho, _, q = _torus(x)
    return x[(rho > 0.3) & (q > 0.1)][:count]


def _errors(surface: Surface, step: float, mode: Mode) -> tuple[float, float]:
    """Largest errors of the gradient and of the Laplacian."""
    x = _points()
    found = differentiate(surface.field, x, step, mode)
    assert torch.equal(found.sdf, surface.field(x))
    gradient = (found.gradient - surface.gradient(x)).abs().max()
    return gradient.item(), (found.laplacian - surface.laplacian(x)).abs().max().item()


@NAMES
@pytest.mark.parametrize(
    ("mode", "step", "gradient", "laplacian"),
    [("central", 1e-3, 1e-4, 1e-2), ("tetrahedral", 1e-4, 1e-3, 2e-2), ("autograd", 0.0, 1e-12, 1e-10)],
)
def test_derivatives_match_the_closed_form(name: str, mode: Mode, step: float, gradient: float, laplacian: float):
    errors = _errors(SURFACES[name], step, mode)
    assert errors[0] < gradient
    assert errors[1] < laplacian


@NAMES
@pytest.mark.parametrize(("mode", "order"), [("central", 2), ("tetrahedral", 1)])
def test_errors_fall_with_the_order_of_the_stencil(name: str, mode: Mode, order: int) -> None:
    coarse, fine = _errors(SURFACES[name], 4e-3, mode), _errors(SURFACES[name], 2e-3, mode)
    for before, after in zip(coarse, fine, strict=True):
        assert math.log2(before / after) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_quadratics_have_an_exact_laplacian(mode: Mode) -> None:
    curvature = torch.tensor([[1.0, 0.3, 0.0], [0.3, -2.0, 0.5], [0.0, 0.5, 0.25]], dtype=torch.float64)
    found = differentiate(lambda x: (x @ curvature * x).sum(1) + x[:, 0], _points(50), 0.3, mode)
    torch.testing.assert_close(found.laplacian, torch.full((50,), 2 * -0.75, dtype=torch.float64), rtol=0, atol=1e-11)


@pytest.mark.parametrize("mode", MODES)
def test_linear_fields_have_an_exact_gradient(mode: Mode) -> None:
    zero = torch.zeros(50, dtype=torch.float64)
    found = differentiate(lambda x: x @ WAVE + 0 * x.square().sum(1), _points(50), 0.3, mode)
    torch.testing.assert_close(found.gradient, WAVE.expand(50, 3), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.laplacian, zero, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [0, 1])
def test_any_number_of_points(mode: Mode, count: int) -> None:
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    found = differentiate(lambda x: (x * weight).square().sum(1), _points(count), 0.01, mode)
    assert [tuple(part.shape) for part in found] == [(count,), (count, 3), (count,)]
    sum(part.sum() for part in found).backward()
    assert weight.grad is not None
    assert bool(weight.grad.any()) == (count > 0)


@pytest.mark.parametrize(("mode", "taps"), [("central", 7), ("tetrahedral", 5)])
def test_taps_are_evaluated_in_one_call(mode: Mode, taps: int) -> None:
    calls = []
    differentiate(lambda x: calls.append(len(x)) or x.sum(1), _points(11), 0.1, mode)
    assert calls == [11 * taps]


def _seven_taps(field: Callable[[Tensor], Tensor], x: Tensor, h: float) -> Stencil:
    """The central stencil written out."""
    ex, ey, ez = (torch.tensor(e, dtype=x.dtype) * h for e in ([1, 0, 0], [0, 1, 0], [0, 0, 1]))
    u = field(x)
    gradient = torch.stack([(field(x + e) - field(x - e)) / (2 * h) for e in (ex, ey, ez)], dim=1)
    laplacian = torch.stack([(field(x + e) - 2 * u + field(x - e)) / h**2 for e in (ex, ey, ez)]).sum(0)
    return Stencil(u, gradient, laplacian)


def _network() -> nn.Sequential:
    network = nn.Sequential(nn.Linear(3, 16), nn.Softplus(beta=5.0), nn.Linear(16, 1)).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network


def _parameter_gradients(network: nn.Sequential, stencil: Stencil) -> list[Tensor]:
    """Gradients of a mean squared viscous residual plus a data term."""
    residual = stencil.gradient.norm(dim=1) - 1 - 0.1 * stencil.laplacian
    return list(torch.autograd.grad(residual.square().mean() + stencil.sdf.abs().mean(), list(network.parameters())))


def test_parameter_gradients_are_those_of_the_formula() -> None:
    network, x = _network(), _points(40)
    found = _parameter_gradients(network, differentiate(lambda p: network(p).squeeze(1), x, 0.02))
    expected = _parameter_gradients(network, _seven_taps(lambda p: network(p).squeeze(1), x, 0.02))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("mode", "step", "tolerance"), [("central", 1e-3, 1e-3), ("tetrahedral", 1e-4, 1e-2)])
def test_parameter_gradients_approach_those_of_autograd(mode: Mode, step: float, tolerance: float) -> None:
    network, x = _network(), _points(40)
    found = _parameter_gradients(network, differentiate(lambda p: network(p).squeeze(1), x, step, mode))
    exact = _parameter_gradients(network, differentiate(lambda p: network(p).squeeze(1), x, step, "autograd"))
    for ours, theirs in zip(found, exact, strict=True):
        assert (ours - theirs).norm() < tolerance * theirs.norm()


def test_trilinear_features_have_no_autograd_laplacian_but_one_by_taps() -> None:
    grid = GridSpec(3, 1, 12, 4, 12)
    table = torch.randn(grid.num_entries, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    x = _points(60) / 2.5 + 0.5
    found = {m: differentiate(lambda p: TorchBackend().encode(p, table, grid, 3).sum(1), x, 0.1, m) for m in MODES}
    assert found["autograd"].laplacian.abs().max() < 1e-9
    assert found["central"].laplacian.abs().median() > 1.0
    assert found["tetrahedral"].laplacian.abs().median() > 1.0


def test_modes_that_a_backend_cannot_train_are_refused_with_advice() -> None:
    first_order = BackendInfo("quick", ("cpu",), (torch.float32,), max_autograd_order=1)
    with pytest.raises(UnsupportedDerivative, match=r"order 3; backend 'quick' supports 1; .*mode=central or --b"):
        require_mode("autograd", first_order)
    require_mode("central", first_order)
    require_mode("tetrahedral", first_order)
    for mode in MODES:
        require_mode(mode, TorchBackend.info)
