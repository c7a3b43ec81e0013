# SPDX-License-Identifier: MIT
"""Fields and points, for the tests that compare a fused backend with the torch reference in float64."""

from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.field.backends.base import Backend
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import FieldSpec, HashGridSDF

NAMES = ("sdf", "gradient", "laplacian", "others")


class Case(NamedTuple):
    """A field and the points at which it is evaluated.

    Attributes:
        count, others: numbers of points with and without a stencil.
        features, width, layers, activation, beta: settings of the field.
        step: tap distance h in the unit frame; the finest cell of the small grid measures 0.037.
        levels: active levels of the five.
        fade: weight of the finest active level.
        reach: points lie in [-reach, reach]^3; the cube of the grid ends at 1.25.
        amplitude: standard deviation of the table entries.
        kinks: whether a ReLU may switch within a stencil.
    """

    count: int = 33
    others: int = 7
    features: int = 2
    width: int = 32
    layers: int = 1
    activation: str = "softplus"
    beta: float = 100.0
    step: float = 0.02
    levels: int = 5
    fade: float = 1.0
    reach: float = 1.0
    amplitude: float = 0.1
    kinks: bool = True


CASES = {
    "default": Case(),
    "no points": Case(count=0),
    "one point": Case(count=1, others=0),
    "odd blocks": Case(count=130, others=65, width=64),
    "four features, two layers": Case(features=4, layers=2),
    "narrow": Case(width=16, others=3),
    "narrow, small step": Case(width=16, layers=2, step=0.002),
    "64 wide, two layers": Case(width=64, layers=2, levels=4, fade=0.4, others=3),
    "wide": Case(width=128, layers=2, count=20),
    "gentle softplus": Case(beta=10.0, layers=2, levels=4, fade=0.4),
    "relu": Case(activation="relu", step=0.002),
    "relu without kinks": Case(activation="relu", step=0.002, kinks=False),
    "relu without kinks, two layers": Case(activation="relu", layers=2, step=0.0005, kinks=False),
    "one faded level": Case(levels=1, fade=0.5),
    "steep, tiny step": Case(amplitude=2.0, step=1 / 4096, width=64, layers=2),
    "steep relu, tiny step": Case(amplitude=2.0, step=1 / 4096, width=64, activation="relu"),
    "taps beyond the cell": Case(step=0.3, layers=2),
    "taps a cell away": Case(step=0.0375),
    "outside the cube": Case(reach=1.27),
    "far outside the cube": Case(reach=2.0, levels=3, fade=0.4),
    "flat, tiny step": Case(amplitude=0.01, step=1 / 1024),
    "flat, tiny step, two layers": Case(amplitude=0.01, step=1 / 1024, layers=2),
}


def field_for(case: Case, backend: Backend, grid: GridSpec | None = None) -> HashGridSDF:
    """A field in float32 with random table entries and biases."""
    grid = grid or GridSpec(5, case.features, log2_table_size=10, base_resolution=5, finest_resolution=67)
    spec = FieldSpec(grid, case.width, case.layers, case.beta, case.activation)
    generator = torch.Generator().manual_seed(1)
    field = HashGridSDF(spec, backend, generator)
    with torch.no_grad():
        field.table.copy_(case.amplitude * torch.randn(field.table.shape, generator=generator))
        for layer in field.linears:
            layer.bias += 0.1 * torch.randn(layer.bias.shape, generator=generator)
    return field


def in_float64(field: HashGridSDF) -> HashGridSDF:
    """A copy of the field in float64 on the reference backend, on the same device."""
    twin = HashGridSDF(field.spec, TorchBackend(), torch.Generator()).to(field.table.device, torch.float64)
    twin.load_state_dict({name: value.double() for name, value in field.state_dict().items()})
    return twin


def outputs_and_gradients(field: HashGridSDF, case: Case, seed: int = 0) -> dict[str, Tensor]:
    """u, its gradient and Laplacian, u at the other points, and the gradients of a fixed weighted sum of them."""
    generator = torch.Generator().manual_seed(seed)
    dtype, device = field.table.dtype, field.table.device
    candidates = case.count * (1 if case.kinks else 40)
    unit = torch.rand((candidates + case.others, 3), generator=generator)
    points = (case.reach * (2 * unit - 1)).to(device, dtype)
    x, others = points[:candidates], points[candidates:]
    if not case.kinks:
        x = x[_without_kinks(in_float64(field), x.double(), case)][: case.count]
        assert len(x) == case.count
    stencil, values = field.stencil(x, others, case.levels, case.fade, case.step)
    found = [*stencil, values]
    weights = [torch.randn(a.shape, generator=generator).to(device, dtype) for a in found]
    weights[2] = weights[2] * case.step
    total = sum((w * a).sum() for w, a in zip(weights, found, strict=True))
    assert isinstance(total, Tensor)
    gradients = torch.autograd.grad(total, list(field.parameters()))
    named = {f"to {name}": g for (name, _), g in zip(field.named_parameters(), gradients, strict=True)}
    return {**dict(zip(NAMES, (a.detach() for a in found), strict=True)), **named}


def _without_kinks(field: HashGridSDF, x: Tensor, case: Case) -> Tensor:
    """Mask (n,) of the points at which every ReLU is either on at all taps or off at all taps."""
    seen: list[Tensor] = []

    def record(hidden: Tensor) -> Tensor:
        seen.append(hidden.detach() > 0)
        return hidden.relu()

    field.activation = record
    arms = case.step * torch.eye(3, dtype=x.dtype, device=x.device)
    taps = x[:, None] + torch.cat([torch.zeros_like(arms[:1]), arms, -arms])
    points = taps.reshape(-1, 3)
    field.network(points, field.features(points, case.levels, case.fade))
    on = torch.cat(seen, dim=1).view(len(x), len(taps[0]), -1)
    return (on == on[:, :1]).flatten(1).all(1)


def error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference divided by the norm of the expected values."""
    return float((found.double() - expected).norm() / expected.norm().clamp_min(1e-30))
