# SPDX-License-Identifier: MIT
"""Every loss term against values computed by hand, and the viscous residual against an exact solution."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig, LossConfig, SamplingConfig, ViscosityConfig
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.finite_differences import Stencil, differentiate
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import FieldSpec, HashGridSDF
from fastsdf.training import losses, schedules
from fastsdf.training.sampling import TrainBatch
from fastsdf.training.step import TERMS, StepSettings, loss_terms


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _stencil(sdf: float = 0.2, gradient: tuple[float, float, float] = (3.0, 0.0, 4.0), laplacian: float = 10.0):
    """One point; |grad u| = 5 by default."""
    return Stencil(_tensor([sdf]), _tensor([gradient]), _tensor([laplacian]))


def test_the_surface_term_is_the_mean_distance() -> None:
    assert losses.surface_loss(_tensor([0.1, -0.3, 0.0, 0.4])).item() == pytest.approx(0.2)


def test_the_inter_term_punishes_small_values_off_the_surface() -> None:
    found = losses.inter_loss(_tensor([0.0, 0.01, -0.02]), 100.0)
    assert found.item() == pytest.approx((1 + math.exp(-1) + math.exp(-2)) / 3)
    assert losses.inter_loss(_tensor([1.0]), 100.0).item() < 1e-40


@pytest.mark.parametrize(
    ("gradient", "confidence", "expected"),
    [
        ((0, 0, 2), 1.0, 0.0),
        ((0, 0, -5), 1.0, 2.0),
        ((0, 0, -5), 0.0, 0.0),
        ((0, 0, -5), 0.25, 0.5),
        ((3, 0, 0), 1.0, 1.0),
        ((1, 0, 1), 0.4, 1 - math.sqrt(0.5)),
        ((1, 0, -1), 0.4, 1 - (0.6 - 0.4) * math.sqrt(0.5)),
        ((0, 0, 0), 0.5, 1.0),
    ],
)
def test_the_normal_term_minds_the_sign_as_far_as_it_is_known(
    gradient: tuple[float, float, float], confidence: float, expected: float
) -> None:
    found = losses.normal_loss(_tensor([gradient]), _tensor([[0, 0, 1]]), _tensor([confidence]))
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_a_normal_weighs_as_much_as_it_is_long() -> None:
    gradient, confidence = _tensor([(1, 0, 1), (0, 1, 1)]), _tensor([0.4, 0.4])
    found = losses.normal_loss(gradient, _tensor([(0, 0, 0.5), (0, 0, 3)]), confidence)
    assert found.item() == pytest.approx(3.5 / 2 * (1 - math.sqrt(0.5)))


def test_the_near_term_is_the_mean_weighted_distance_to_the_interval() -> None:
    sdf = _tensor([0.1, -0.2, 0.3, 0.4])
    found = losses.near_loss(sdf, _tensor([0.2, 0.1, 0.3, 0.0]), _tensor([0.2, 0.1, 0.3, 0.5]), _tensor([1, 0.5, 1, 1]))
    assert found.item() == pytest.approx((0.1 + 0.5 * 0.3) / 4)
    assert losses.near_loss(sdf, sdf - 0.1, sdf - 0.05, torch.ones_like(sdf)).item() == pytest.approx(0.05)


@pytest.mark.parametrize(("power", "expected"), [(1, 2.0), (2, 14 / 3)])
def test_residuals_enter_by_their_power(power: int, expected: float) -> None:
    assert losses.residual_loss(_tensor([1.0, -2.0, 3.0]), power).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("form", "residual", "sdf", "expected"),
    [
        ("uniform", "norm", 0.2, 5 - 1 - 0.1 * 10),
        ("uniform", "norm", -0.2, 5 - 1 - 0.1 * 10),
        ("uniform", "squared_norm", 0.2, 25 - 1 - 0.1 * 10),
        ("signed", "norm", 0.2, 5 - 1 - 0.1 * 10 * 0.2 / math.hypot(0.2, 0.15)),
        ("signed", "norm", -0.2, 5 - 1 + 0.1 * 10 * 0.2 / math.hypot(0.2, 0.15)),
        ("signed", "squared_norm", -0.2, 25 - 1 + 0.1 * 10 * 0.2 / math.hypot(0.2, 0.15)),
        ("signed", "norm", 0.0, 5 - 1),
    ],
)
def test_the_viscous_residual_by_hand(form: Any, residual: Any, sdf: float, expected: float) -> None:
    config = ViscosityConfig(form=form, residual=residual)
    assert losses.viscous_eikonal_residual(_stencil(sdf), 0.1, config, 0.15).item() == pytest.approx(expected)


@pytest.mark.parametrize("form", ["uniform", "signed", "none"])
@pytest.mark.parametrize(("residual", "expected"), [("norm", 4.0), ("squared_norm", 24.0)])
def test_without_viscosity_every_form_is_the_eikonal_residual(form: Any, residual: Any, expected: float) -> None:
    config = ViscosityConfig(form=form, residual=residual)
    broken = _stencil(laplacian=math.nan)  # the Laplacian must not enter at all
    assert losses.viscous_eikonal_residual(broken, 0.0, config, 0.15).item() == pytest.approx(expected)


def test_the_form_none_never_has_viscosity() -> None:
    config = ViscosityConfig(form="none", floor_cells=3.0)
    assert [schedules.viscosity(t, config, 0.1) for t in (0.0, 0.3, 0.9)] == [0.0, 0.0, 0.0]


def test_the_gradient_of_the_norm_is_finite_where_the_field_is_flat() -> None:
    gradient = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    stencil = Stencil(_tensor([0.0]), gradient, _tensor([0.0]))
    losses.viscous_eikonal_residual(stencil, 0.0, ViscosityConfig(), 0.1).sum().backward()
    assert gradient.grad is not None
    assert torch.isfinite(gradient.grad).all()


def test_the_smooth_sign_is_not_differentiated() -> None:
    sdf = _tensor([0.1]).requires_grad_(True)
    laplacian = _tensor([2.0]).requires_grad_(True)
    stencil = Stencil(sdf, _tensor([[1.0, 0.0, 0.0]]), laplacian)
    losses.viscous_eikonal_residual(stencil, 0.5, ViscosityConfig(form="signed"), 0.1).sum().backward()
    assert sdf.grad is None
    assert laplacian.grad is not None
    assert laplacian.grad.item() == pytest.approx(-0.5 / math.sqrt(2))


def _viscous_profile(x: Tensor, epsilon: float) -> Tensor:
    """u = (1 - |x|) - eps (e^(-|x|/eps) - e^(-1/eps)), the viscous solution between walls at x = -1 and x = 1."""
    r = x[:, 0].abs()
    return (1 - r) - epsilon * (torch.exp(-r / epsilon) - math.exp(-1 / epsilon))


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 1.0])
def test_the_viscous_solution_between_two_walls_has_no_residual(epsilon: float) -> None:
    """Positive in the air with a concave ridge in the middle: the sign of the viscous term must fit."""
    distance = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    x = torch.zeros(38, 3, dtype=torch.float64)
    x[:, 0] = torch.cat([distance, -distance])
    assert _viscous_profile(_tensor([[1.0, 0, 0]]), epsilon).item() == pytest.approx(0.0, abs=1e-15)
    exact = differentiate(lambda p: _viscous_profile(p, epsilon), x, 0.0, "autograd")
    residual = losses.viscous_eikonal_residual(exact, epsilon, ViscosityConfig(), 1e-3)
    assert residual.abs().max() < 1e-12
    taps = differentiate(lambda p: _viscous_profile(p, epsilon), x, 1e-3)
    assert losses.viscous_eikonal_residual(taps, epsilon, ViscosityConfig(), 1e-3).abs().max() < 1e-4
    assert losses.viscous_eikonal_residual(exact, -epsilon, ViscosityConfig(), 1e-3).abs().max() > 0.1


def test_a_distance_function_has_no_residual_once_viscosity_is_gone() -> None:
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.2
    ball = differentiate(lambda p: 0.5 - p.norm(dim=1), x, 1e-4)
    assert losses.viscous_eikonal_residual(ball, 0.0, ViscosityConfig(), 1e-4).abs().max() < 1e-6
    viscous = losses.viscous_eikonal_residual(ball, 0.1, ViscosityConfig(), 1e-4)
    torch.testing.assert_close(viscous, 0.1 * 2 / x.norm(dim=1), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def step_of_training() -> tuple[HashGridSDF, TrainBatch, StepSettings]:
    """A field with curvature everywhere, a small batch and the settings of a step, float64."""
    generator = torch.Generator().manual_seed(1)
    field = HashGridSDF(FieldSpec(GridSpec(3, 2, 10, 4, 12), 16, 1, 20.0), TorchBackend(), generator).double()
    x = torch.rand(40, 3, generator=generator, dtype=torch.float64) - 0.5
    one = torch.ones(40, dtype=torch.float64)
    batch = TrainBatch(
        surface=x[:20], normals=x[:20], confidence=one[:20],
        near=x[20:30], near_lower=one[20:30], near_upper=one[20:30], near_confidence=one[20:30], uniform=x[30:],
    )  # fmt: skip
    return field, batch, StepSettings(0.5, 3.0, 3, 1.0, 0.05, 0.0, 1.0)


@pytest.mark.parametrize("on_surface", [False, True])
@pytest.mark.parametrize("form", ["uniform", "signed"])
def test_no_term_jumps_when_viscosity_reaches_zero(step_of_training, form: Any, on_surface: bool) -> None:
    field, batch, settings = step_of_training
    config = FitConfig(viscosity=ViscosityConfig(form=form, on_surface=on_surface))
    before, after = (loss_terms(field, batch, settings._replace(viscosity=e), config) for e in (1e-9, 0.0))
    assert before.keys() == after.keys()
    for name, value in before.items():
        torch.testing.assert_close(value, after[name], rtol=1e-6, atol=1e-9)
    far = loss_terms(field, batch, settings._replace(viscosity=0.5), config)
    assert (far["eikonal_off_surface"] - after["eikonal_off_surface"]).abs() > 1e-3
    assert torch.equal(far["eikonal_surface"], after["eikonal_surface"]) != on_surface


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_eikonal_terms_are_means_over_their_own_points(step_of_training, epsilon: float) -> None:
    field, batch, settings = step_of_training
    terms = loss_terms(field, batch, settings._replace(viscosity=epsilon), FitConfig())
    for name, points, e in (
        ("eikonal_surface", batch.surface, 0.0),
        ("eikonal_off_surface", torch.cat([batch.near, batch.uniform]), epsilon),
    ):
        taps = differentiate(lambda x: field(x, 3.0), points, 0.05)
        expected = (taps.gradient.norm(dim=1) - 1 - e * taps.laplacian).abs().mean()
        torch.testing.assert_close(terms[name], expected)


@pytest.mark.parametrize(
    ("empty", "missing"),
    [
        ("stencil", {"eikonal_surface", "normal"}),
        ("near", {"near"}),
        ("uniform", {"inter"}),
        ("near and uniform", {"near", "inter", "eikonal_off_surface"}),
        ("all", {"near", "inter", "eikonal_off_surface", "eikonal_surface", "normal"}),
    ],
)
def test_a_term_without_points_is_left_out(step_of_training, empty: str, missing: set[str]) -> None:
    field, batch, settings = step_of_training
    if empty in ("near", "near and uniform", "all"):
        batch = batch._replace(
            **{k: getattr(batch, k)[:0] for k in ("near", "near_lower", "near_upper", "near_confidence")}
        )
    if empty in ("uniform", "near and uniform", "all"):
        batch = batch._replace(uniform=batch.uniform[:0])
    share = 0.0 if empty in ("stencil", "all") else 1.0
    terms = loss_terms(field, batch, settings, FitConfig(sampling=SamplingConfig(stencil_share=share)))
    assert set(terms) == set(TERMS) - missing
    assert all(torch.isfinite(value) for value in terms.values())


@pytest.mark.parametrize("name", TERMS)
def test_a_term_of_weight_zero_is_left_out(step_of_training, name: str) -> None:
    field, batch, settings = step_of_training
    every = loss_terms(field, batch, settings, FitConfig())
    fewer = loss_terms(field, batch, settings, FitConfig(loss=LossConfig(**{name: 0.0})))
    assert set(fewer) == set(every) - {name}
    assert all(torch.equal(value, every[key]) for key, value in fewer.items())


@pytest.mark.parametrize("share", [0.0, 0.35, 1.0])
def test_the_surface_term_is_over_all_surface_points(step_of_training, share: float) -> None:
    field, batch, settings = step_of_training
    terms = loss_terms(field, batch, settings, FitConfig(sampling=SamplingConfig(stencil_share=share)))
    torch.testing.assert_close(terms["surface"], field(batch.surface, 3.0).abs().mean())
