# SPDX-License-Identifier: MIT
"""The adapter of tiny-cuda-nn: its layout of a table against `GridSpec`, and its calls to a stand-in for the package.

tests/test_gpu_tcnn.py runs the real one.
"""

import random
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from fastsdf.errors import BackendUnavailable, UnsupportedDerivative
from fastsdf.field.backends import tiny_cuda_nn
from fastsdf.field.backends.tiny_cuda_nn import TinyCudaNNBackend, encoding_config, why_not_grid
from fastsdf.field.backends.torch_reference import TorchBackend, node_rows
from fastsdf.field.hash_grid import GridSpec
from tests.helpers import fake_tinycudann, tcnn_rules
from tests.helpers.encoding_cases import encode_and_gradient, grid_with, points, stencil_points, table_for

DEVICE_ERRORS = (0.0, 2.0**-22, -(2.0**-22))
TOO_MANY_FEATURES = GridSpec(20, 8, log2_table_size=14, base_resolution=16, finest_resolution=512)
BETWEEN_ROUNDINGS = GridSpec(21, 2, log2_table_size=18, base_resolution=2, finest_resolution=58)


def random_grid(seed: int) -> GridSpec:
    """A grid such as a fit may have; every third has a finest resolution that makes many whole-numbered scales."""
    draw = random.Random(seed)
    levels = draw.randint(1, 16)
    base = draw.choice([2, 5, 16, 16, 16, 31, 64])
    finest = base * 2 ** draw.randint(0, 7) if seed % 3 == 0 else draw.randint(base, 4000)
    return GridSpec(levels, draw.choice([1, 2, 4, 8]), draw.randint(8, 22), base, finest)


@pytest.mark.parametrize("seed", range(150))
def test_the_table_is_laid_out_as_in_tiny_cuda_nn(seed: int) -> None:
    """Also if the device's exp2 is off by as much as CUDA allows, and for any number of levels."""
    grid = random_grid(seed)
    assert why_not_grid(grid) == ""
    for count in {1, grid.num_levels}:
        config = encoding_config(grid, count)
        for error in DEVICE_ERRORS:
            assert tcnn_rules.offset_table(config, error) == list(grid.offsets[: count + 1])
            for level in range(count):
                scale = tcnn_rules.grid_scale(level, config, error)
                resolution = tcnn_rules.grid_resolution(scale)
                assert scale == pytest.approx(grid.scales[level], rel=2e-5)
                assert tcnn_rules.is_hashed(grid.sizes[level], resolution) is not grid.is_dense(level)
                assert not grid.is_dense(level) or resolution == grid.resolutions[level]


def test_most_growths_are_just_rounded() -> None:
    """Only where a dense level's scale is a whole number is another growth than the nearest float32 taken."""
    grids = [g for g in map(random_grid, range(150)) if g.finest_resolution % g.base_resolution]
    taken = [encoding_config(g, 1)["per_level_scale"] == float(np.float32(g.growth)) for g in grids]
    assert np.mean(taken) > 0.9


def test_the_largest_change_of_growth_moves_points_little() -> None:
    worst = 0.0
    for seed in range(0, 600, 3):
        grid = random_grid(seed)
        scale = tcnn_rules.grid_scale(grid.num_levels - 1, encoding_config(grid, grid.num_levels))
        worst = max(worst, abs(float(scale) / grid.scales[-1] - 1))
    assert worst < 2e-5


@pytest.mark.parametrize("level", range(5))
def test_nodes_have_the_rows_of_tiny_cuda_nn(level: int) -> None:
    """One node past the cube too, which a cell at its upper face has."""
    grid = grid_with(2)
    nodes = torch.randint(0, grid.resolutions[level] + 1, (2000, 3), generator=torch.Generator().manual_seed(level))
    found = node_rows(nodes, grid, level) - grid.offsets[level]
    expected = tcnn_rules.grid_index(nodes.numpy(), grid.sizes[level], grid.resolutions[level])
    assert np.array_equal(found.numpy(), expected)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package tinycudann, played by `fake_tinycudann`."""
    monkeypatch.setitem(sys.modules, "tinycudann", fake_tinycudann)
    tiny_cuda_nn.native_encoding.cache_clear()
    yield
    tiny_cuda_nn.native_encoding.cache_clear()


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("features", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_the_adapter_agrees_with_the_reference(count: int, features: int) -> None:
    x, grid = points(count), grid_with(features)
    found = encode_and_gradient(TinyCudaNNBackend(), x, grid, 5, torch.float32)
    expected = encode_and_gradient(TorchBackend(), x, grid, 5, torch.float64)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_the_adapter_evaluates_the_first_levels(levels: int) -> None:
    x, grid = stencil_points(50, 1e-3), grid_with(2)
    found = encode_and_gradient(TinyCudaNNBackend(), x, grid, levels, torch.float32)
    expected = encode_and_gradient(TorchBackend(), x, grid, levels, torch.float64)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=1e-3)
    assert not found[1][grid.offsets[levels] :].any()


@pytest.mark.usefixtures("stand_in")
def test_without_gradients_the_native_module_keeps_nothing() -> None:
    grid, x = grid_with(2), points(300).float()
    with torch.no_grad():
        features = TinyCudaNNBackend().encode(x, table_for(grid).float(), grid, 5)
    assert features.shape == (300, 10) and not features.requires_grad
    frozen = TinyCudaNNBackend().encode(x, table_for(grid).float(), grid, 5)
    assert frozen.grad_fn is None


@pytest.mark.usefixtures("stand_in")
def test_there_is_no_derivative_in_the_points() -> None:
    """tiny-cuda-nn's double backward, which leaves the grid out of a Laplacian's gradient, is out of reach."""
    grid, table = grid_with(2), table_for(grid_with(2)).float().requires_grad_(True)
    with pytest.raises(UnsupportedDerivative, match=r"'tcnn'.*operators\.mode=central or --backend torch"):
        TinyCudaNNBackend().encode(points(4).float().requires_grad_(True), table, grid, 5)
    features = TinyCudaNNBackend().encode(points(4).float(), table, grid, 5)
    weight = torch.ones_like(features, requires_grad=True)
    (gradient,) = torch.autograd.grad((weight * features).sum(), table, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        (TOO_MANY_FEATURES, "evaluates 128 features at most, not 20 levels of 8"),
        (BETWEEN_ROUNDINGS, "rounds resolutions of this grid differently"),
    ],
    ids=["features", "rounding"],
)
@pytest.mark.usefixtures("stand_in")
def test_a_grid_that_would_be_another_field_is_refused(grid: GridSpec, reason: str) -> None:
    assert why_not_grid(grid).startswith(reason)
    with pytest.raises(BackendUnavailable, match=f"backend 'tcnn' {reason}.*--backend torch"):
        TinyCudaNNBackend().encode(points(4).float(), table_for(grid).float(), grid, 1)


@pytest.mark.usefixtures("stand_in")
def test_a_build_with_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_tinycudann.Native, "n_params", lambda self: 7)
    grid = grid_with(2)
    with pytest.raises(BackendUnavailable, match=r"5 levels of GridSpec.* in 7 parameters instead of"):
        TinyCudaNNBackend().encode(points(4).float(), table_for(grid).float(), grid, 5)
