# SPDX-License-Identifier: MIT
"""The softplus of the CPU backend against torch's in float64, value and slope."""

import pytest
import torch
from torch.nn.functional import softplus

from fastsdf.field.backends.selection import load_backend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import FieldSpec, HashGridSDF


@pytest.mark.parametrize("beta", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("shape", [(0, 64), (1,), (333, 7), (100_001,)])
def test_values_and_slopes(shape: tuple[int, ...], beta: float) -> None:
    x = (30 / beta) * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    x.requires_grad_(True)
    exact = x.detach().double().requires_grad_(True)
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(2))
    found, expected = load_backend("numba").softplus(x, beta), softplus(exact, beta)
    torch.testing.assert_close(found.double(), expected, rtol=2e-7, atol=2e-8 / beta)
    (slope,), (true_slope,) = (
        torch.autograd.grad((weights.to(a) * a).sum(), b) for a, b in ((found, x), (expected, exact))
    )
    torch.testing.assert_close(slope.double(), true_slope, rtol=0, atol=1e-6)


def test_it_is_smooth_where_its_table_ends() -> None:
    x = torch.linspace(17.9, 18.1, 401)
    for values in (x, -x):
        found = load_backend("numba").softplus(values, 1.0)
        torch.testing.assert_close(found.double(), softplus(values.double(), 1.0), rtol=1e-6, atol=2e-8)


def test_what_is_no_number_stays_visible() -> None:
    found = load_backend("numba").softplus(torch.tensor([torch.nan, torch.inf, -1e30, 1e30]), 100.0)
    assert torch.isnan(found[0]) and torch.isinf(found[1])
    assert found[2:].tolist() == [0.0, pytest.approx(1e30)]


def test_the_field_uses_it_in_float32_and_torchs_in_float64() -> None:
    spec = FieldSpec(GridSpec(2, 2, 8, 4, 9), 16, 1, 100.0)
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    field = HashGridSDF(spec, load_backend("numba"), torch.Generator().manual_seed(0))
    reference = HashGridSDF(spec, load_backend("torch"), torch.Generator().manual_seed(0))
    assert "Softplus" in type(field.activation(field.linears[0].weight).grad_fn).__name__
    torch.testing.assert_close(field(x, 2.0), reference(x, 2.0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(field.double()(x.double(), 2.0), reference.double()(x.double(), 2.0), rtol=1e-12, atol=0)
