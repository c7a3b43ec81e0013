# SPDX-License-Identifier: MIT
"""The reference encoding against what trilinear interpolation and the hash are by definition."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from fastsdf.field.backends.torch_reference import TorchBackend, node_rows
from fastsdf.field.hash_grid import HASH_PRIMES, GridSpec

GRID = GridSpec(num_levels=4, features_per_level=2, log2_table_size=9, base_resolution=5, finest_resolution=30)
DENSE = GridSpec(num_levels=1, features_per_level=2, log2_table_size=14, base_resolution=9, finest_resolution=9)
BACKEND = TorchBackend()


def _points(count: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def _table(grid: GridSpec, seed: int = 1) -> Tensor:
    shape = (grid.num_entries, grid.features_per_level)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("features", [1, 2, 4, 8])
@pytest.mark.parametrize("levels", [1, 3, 4])
def test_a_constant_table_gives_constant_features(features: int, levels: int) -> None:
    grid = GridSpec(4, features, 9, 5, 30)
    table = torch.full((grid.num_entries, features), 0.7, dtype=torch.float64)
    encoded = BACKEND.encode(_points(97), table, grid, levels)
    assert encoded.shape == (97, levels * features)
    torch.testing.assert_close(encoded, torch.full_like(encoded, 0.7), rtol=0, atol=1e-14)


def test_fewer_levels_are_the_first_columns() -> None:
    x, table = _points(31), _table(GRID)
    whole = BACKEND.encode(x, table, GRID, 4)
    for levels in (1, 2, 3):
        assert torch.equal(BACKEND.encode(x, table, GRID, levels), whole[:, : 2 * levels])


def test_a_dense_level_reproduces_linear_functions() -> None:
    r, slope, intercept = DENSE.resolutions[0], torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64), 0.25
    axis = torch.arange(r, dtype=torch.float64)
    k, j, i = torch.meshgrid(axis, axis, axis, indexing="ij")  # x fastest
    nodes = torch.stack([i, j, k], -1).reshape(-1, 3)
    table = torch.zeros(DENSE.num_entries, 2, dtype=torch.float64)
    table[: r**3, 0] = nodes @ slope + intercept
    table[: r**3, 1] = -nodes[:, 2]
    low = 0.5 / DENSE.scales[0]
    x = _points(200) * (1 - 2 * low) + low  # nodes lie at half cells: keep the last cell inside the table
    position = x * DENSE.scales[0] + 0.5
    encoded = BACKEND.encode(x, table, DENSE, 1)
    torch.testing.assert_close(encoded[:, 0], position @ slope + intercept, rtol=0, atol=1e-12)
    torch.testing.assert_close(encoded[:, 1], -position[:, 2], rtol=0, atol=1e-12)


def test_features_at_a_node_are_its_entry() -> None:
    table = _table(GRID)
    for level in range(GRID.num_levels):
        nodes = torch.tensor([[1, 2, 3], [3, 1, 2], [4, 4, 1]])
        x = (nodes - 0.5 + 1e-13) / GRID.scales[level]
        found = BACKEND.encode(x, table, GRID, level + 1)[:, 2 * level :]
        torch.testing.assert_close(found, table[node_rows(nodes, GRID, level)], rtol=0, atol=1e-10)


def test_features_are_continuous_across_cells() -> None:
    table, step = _table(GRID), 1e-9
    for level in range(GRID.num_levels):
        x = _points(50)
        x[:, 1] = (torch.floor(x[:, 1] * 4) + 0.5) / GRID.scales[level]  # on a face between two cells
        shift = torch.tensor([0, step, 0], dtype=torch.float64)
        both = [BACKEND.encode(x + s * shift, table, GRID, level + 1)[:, 2 * level :] for s in (-1, 1)]
        torch.testing.assert_close(*both, rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("features", [1, 4])
def test_the_gradient_of_the_table_is_exact(count: int, features: int) -> None:
    grid = GridSpec(3, features, 6, 3, 7)
    table = _table(grid).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda t: BACKEND.encode(_points(count), t, grid, 3), table)


def test_the_gradients_of_the_points_are_exact_up_to_second_order() -> None:
    grid = GridSpec(2, 1, 6, 3, 7)
    x, table = _points(3).requires_grad_(True), _table(grid).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda p: BACKEND.encode(p, table, grid, 2), x)
    assert torch.autograd.gradgradcheck(lambda p, t: BACKEND.encode(p, t, grid, 2), (x, table))


def test_the_gradient_of_the_table_sums_to_one_per_point_level_and_feature() -> None:
    table = _table(GRID).requires_grad_(True)
    BACKEND.encode(_points(53), table, GRID, 4).sum().backward()
    assert table.grad is not None
    for start, stop in pairwise(GRID.offsets):
        torch.testing.assert_close(table.grad[start:stop].sum(0), torch.full((2,), 53.0, dtype=torch.float64))


def test_locked_levels_get_no_gradient() -> None:
    table = _table(GRID).requires_grad_(True)
    BACKEND.encode(_points(20), table, GRID, 2).square().sum().backward()
    assert table.grad is not None
    assert table.grad[: GRID.offsets[2]].abs().sum() > 0
    assert table.grad[GRID.offsets[2] :].abs().sum() == 0


@pytest.mark.parametrize("levels", [1, 4])
def test_zero_points_give_zero_rows_and_a_zero_gradient(levels: int) -> None:
    table = _table(GRID).requires_grad_(True)
    encoded = BACKEND.encode(torch.zeros(0, 3, dtype=torch.float64), table, GRID, levels)
    assert encoded.shape == (0, 2 * levels)
    encoded.sum().backward()
    assert table.grad is not None
    assert not table.grad.any()


def test_hashed_rows_follow_the_formula_by_hand() -> None:
    assert HASH_PRIMES == (1, 2654435761, 805459861)
    assert not GRID.is_dense(3)
    assert GRID.sizes[3] == 512
    # modulo 512 the primes are 433 and 405: 11 * 433 = 155, 13 * 405 = 145, and 7 ^ 155 ^ 145 = 13
    rows = node_rows(torch.tensor([[7, 11, 13], [0, 0, 0], [5, 0, 0]]), GRID, 3)
    assert (rows - GRID.offsets[3]).tolist() == [13, 0, 5]


def test_dense_rows_run_x_fastest() -> None:
    assert GRID.is_dense(0)
    assert GRID.resolutions[0] == 5
    rows = node_rows(torch.tensor([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [4, 3, 2]]]), GRID, 0)
    assert rows.tolist() == [[1, 5], [25, 4 + 5 * 3 + 25 * 2]]


@pytest.mark.parametrize("level", range(4))
def test_nodes_outside_the_cube_wrap_within_their_level(level: int) -> None:
    nodes = torch.randint(-9, 60, (500, 3), generator=torch.Generator().manual_seed(2))
    rows = node_rows(nodes, GRID, level)
    assert rows.min() >= GRID.offsets[level]
    assert rows.max() < GRID.offsets[level + 1]


def test_single_precision_is_close_to_double() -> None:
    x, table = _points(2000, dtype=torch.float32), _table(GRID)
    single, double = BACKEND.encode(x, table.float(), GRID, 4), BACKEND.encode(x.double(), table, GRID, 4)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=2e-5)
