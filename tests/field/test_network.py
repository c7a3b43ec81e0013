# SPDX-License-Identifier: MIT
"""The field at the start of training, its levels, and its sizes."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fastsdf.config.models import FieldConfig
from fastsdf.errors import ConfigError
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.finite_differences import differentiate
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import GRID_REACH, FieldSpec, HashGridSDF, split_levels

GRID = GridSpec(num_levels=6, features_per_level=2, log2_table_size=12, base_resolution=8, finest_resolution=90)
SPEC = FieldSpec(GRID, hidden_width=64, hidden_layers=2, softplus_beta=100.0)


def _field(spec: FieldSpec = SPEC, seed: int = 0, feature_scale: float | None = None) -> HashGridSDF:
    """A fresh field in float64; with ``feature_scale`` its table is drawn anew, normal with that deviation."""
    generator = torch.Generator().manual_seed(seed)
    field = HashGridSDF(spec, TorchBackend(), generator).double()
    if feature_scale is not None:
        with torch.no_grad():
            field.table.copy_(feature_scale * torch.randn(field.table.shape, generator=generator))
    return field


def _points(count: int = 300, reach: float = 1.0) -> Tensor:
    """Points (count, 3), uniform in [-reach, reach]^3."""
    return (2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64) - 1) * reach


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hidden_layers", [1, 2])
@pytest.mark.parametrize("activation", ["softplus", "relu"])
@pytest.mark.parametrize("levels", [1.0, 3.5, 6.0])
def test_a_fresh_field_is_about_an_inverted_ball(seed: int, hidden_layers: int, activation: str, levels: float) -> None:
    field = _field(replace(SPEC, hidden_layers=hidden_layers, activation=activation), seed)
    x = _points()
    x = x / x.norm(dim=1, keepdim=True)
    with torch.no_grad():
        assert (field(0.3 * x, levels) > 0.2).all()
        outside = field(1.9 * x, levels)
        assert outside.mean() < -0.5
        assert (outside < 0).double().mean() > 0.98
        assert field(torch.zeros(1, 3, dtype=torch.float64), levels).item() == pytest.approx(0.85, abs=0.12)
        slope = field(1.5 * x, levels) - field(0.5 * x, levels)
        assert slope.mean().item() == pytest.approx(-1.0, abs=0.25)


def test_fields_repeat_for_a_seed_whatever_the_global_generator_did() -> None:
    first = _field(seed=3).state_dict()
    torch.rand(17)
    again, other = _field(seed=3).state_dict(), _field(seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in ("table", "layers.0.weight"))


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_locked_levels_do_not_matter(levels: int) -> None:
    field, x = _field(feature_scale=0.5), _points()
    before = field(x, float(levels))
    columns = 3 + levels * GRID.features_per_level
    with torch.no_grad():
        field.table[GRID.offsets[levels] :] = math.nan
        field.linears[0].weight[:, columns:] = math.nan
    after = field(x, float(levels))
    assert torch.equal(before, after)
    after.sum().backward()
    assert field.table.grad is not None
    assert not field.table.grad[GRID.offsets[levels] :].any()
    assert field.table.grad[: GRID.offsets[levels]].any()


@pytest.mark.parametrize("level", [1, 2, 5])
def test_a_level_fades_in_without_a_jump(level: int) -> None:
    field, x = _field(feature_scale=0.5), _points()
    with torch.no_grad():
        locked, barely = field(x, float(level)), field(x, level + 1e-9)
        nearly, active = field(x, level + 1 - 1e-9), field(x, level + 1.0)
        torch.testing.assert_close(barely, locked, rtol=0, atol=1e-7)
        torch.testing.assert_close(nearly, active, rtol=0, atol=1e-7)
        assert (active - locked).abs().max() > 1e-3


def test_the_fading_weight_scales_the_last_level_only() -> None:
    field, x = _field(feature_scale=0.5), _points(20)
    whole = field.features(x, 3)
    faded = field.features(x, 3, 0.25)
    assert whole.shape == faded.shape == (20, 6)
    assert torch.equal(faded[:, :4], whole[:, :4])
    torch.testing.assert_close(faded[:, 4:], 0.25 * whole[:, 4:], rtol=1e-15, atol=0)
    assert field.features(x, 2).shape == (20, 4)
    assert torch.equal(faded, field.features(x, 3, torch.tensor(0.25, dtype=x.dtype)))


@pytest.mark.parametrize(
    ("active", "count", "fade"), [(1.0, 1, 1.0), (2.25, 3, 0.25), (3.0, 3, 1.0), (6.0, 6, 1.0), (99.0, 6, 1.0)]
)
def test_active_levels_are_whole_ones_and_a_fade(active: float, count: int, fade: float) -> None:
    assert split_levels(active, 6) == (count, pytest.approx(fade))


@pytest.mark.parametrize("mode", ["central", "tetrahedral", "autograd"])
def test_a_stencil_is_what_the_operators_make_of_the_field(mode: Any) -> None:
    field, x, others = _field(feature_scale=0.5), _points(20), _points(7)
    stencil, values = field.stencil(x, others, 3, 0.25, 0.05, mode)
    for found, expected in zip(stencil, differentiate(lambda y: field(y, 2.25), x, 0.05, mode), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(values, field(others, 2.25), rtol=1e-12, atol=1e-12)
    assert len(field.stencil(x, x[:0], 3, 1.0, 0.05, mode)[1]) == 0


def test_zero_points() -> None:
    assert _field()(torch.zeros(0, 3, dtype=torch.float64), 2.5).shape == (0,)


def test_precisions_agree() -> None:
    field, x = _field(feature_scale=0.1), _points()
    with torch.no_grad():
        double = field(x, 4.5)
        single = field.float()(x.float(), 4.5)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


def test_the_step_is_a_cell_of_the_finest_active_level_in_the_unit_frame() -> None:
    field = _field()
    for level in range(GRID.num_levels):
        expected = 2 * GRID_REACH / GRID.scales[level]
        assert field.step_size(level + 1.0, 1.0) == pytest.approx(expected)
        assert field.step_size(level + 1.0, 0.5) == pytest.approx(0.5 * expected)


def test_every_parameter_is_in_one_group() -> None:
    field = _field()
    grouped = [id(p) for group in field.parameter_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in field.parameters())
    assert [layer.out_features for layer in field.linears] == [64, 64, 1]


@pytest.mark.parametrize("spec", [SPEC, FieldSpec(GridSpec(1, 8, 9, 4, 4), 16, 1, 20.0)])
def test_the_state_restores_the_spec_also_through_json(spec: FieldSpec) -> None:
    assert FieldSpec.from_state(spec.state()) == spec
    assert FieldSpec.from_state(json.loads(json.dumps(spec.state()))) == spec


def test_weights_move_to_a_field_of_the_restored_spec() -> None:
    field, x = _field(feature_scale=0.5), _points()
    other = _field(FieldSpec.from_state(SPEC.state()), seed=9)
    other.load_state_dict(field.state_dict())
    assert torch.equal(other(x, 3.5), field(x, 3.5))


def test_the_finest_cell_has_the_configured_size() -> None:
    config = FieldConfig(num_levels=7, log2_table_size=14, voxel_size_m=0.02)
    spec = FieldSpec.from_config(config, half_extent_m=3.0)
    assert spec.grid.finest_resolution == round(2 * GRID_REACH * 3.0 / 0.02) + 1
    cell_m = 3.0 * 2 * GRID_REACH * spec.grid.cell_size(7.0)
    assert cell_m == pytest.approx(0.02, rel=0.01)
    assert (spec.grid.num_levels, spec.grid.base_resolution) == (7, config.base_resolution)
    assert (spec.hidden_width, spec.hidden_layers) == (config.hidden_width, config.hidden_layers)
    assert spec.softplus_beta == config.softplus_beta


@pytest.mark.parametrize("activation", ["softplus", "relu"])
def test_the_activation_is_the_configured_one(activation: Any) -> None:
    config = FieldConfig(num_levels=4, log2_table_size=14, voxel_size_m=0.1, activation=activation, softplus_beta=3.0)
    field = _field(FieldSpec.from_config(config, half_extent_m=3.0))
    hidden = torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64)
    expected = hidden.clamp_min(0) if activation == "relu" else torch.log1p(torch.exp(3 * hidden)) / 3
    torch.testing.assert_close(field.activation(hidden), expected)


def test_too_coarse_cells_are_refused_with_the_limit() -> None:
    config = FieldConfig(num_levels=4, log2_table_size=14, voxel_size_m=0.6, base_resolution=16)
    with pytest.raises(ConfigError, match=r"voxel_size_m is 0\.6, coarser than the base level's cell of 0\.5; "):
        FieldSpec.from_config(config, half_extent_m=3.0)
    FieldSpec.from_config(config.model_copy(update={"voxel_size_m": 0.5}), half_extent_m=3.0)
