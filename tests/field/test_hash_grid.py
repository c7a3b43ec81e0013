# SPDX-License-Identifier: MIT
"""Layout of the hash grid: sizes, offsets, dense levels and cell sizes."""

import dataclasses
import math
from itertools import pairwise

import pytest

from fastsdf.field.hash_grid import GridSpec

SMALL = GridSpec(num_levels=5, features_per_level=2, log2_table_size=10, base_resolution=5, finest_resolution=67)
ONE = GridSpec(num_levels=1, features_per_level=4, log2_table_size=14, base_resolution=9, finest_resolution=9)
LARGE = GridSpec(num_levels=16, features_per_level=2, log2_table_size=19, base_resolution=16, finest_resolution=2048)
SPECS = pytest.mark.parametrize("grid", [SMALL, ONE, LARGE], ids=["small", "one", "large"])


@SPECS
def test_offsets_are_the_running_sum_of_the_sizes(grid: GridSpec) -> None:
    assert len(grid.sizes) == grid.num_levels == len(grid.offsets) - 1
    assert grid.offsets[0] == 0
    assert [b - a for a, b in pairwise(grid.offsets)] == list(grid.sizes)
    assert grid.num_entries == sum(grid.sizes)
    assert grid.num_features == grid.num_levels * grid.features_per_level


@SPECS
def test_sizes_are_aligned_and_within_the_table(grid: GridSpec) -> None:
    for level, (size, nodes) in enumerate(zip(grid.sizes, grid.resolutions, strict=True)):
        assert size % 8 == 0
        assert size <= 2**grid.log2_table_size
        if grid.is_dense(level):
            assert 0 <= size - nodes**3 < 8
        else:
            assert size == 2**grid.log2_table_size < nodes**3


def test_levels_are_dense_until_they_outgrow_the_table() -> None:
    assert SMALL.resolutions[:2] == (5, 10)
    assert SMALL.sizes == (128, 1000, 1024, 1024, 1024)
    assert [SMALL.is_dense(level) for level in range(5)] == [True, True, False, False, False]
    assert SMALL.offsets == (0, 128, 1128, 2152, 3176, 4200)


def test_a_level_that_fills_the_table_exactly_is_dense() -> None:
    full = GridSpec(1, 2, 9, 8, 8)
    assert full.sizes == (8**3,)
    assert full.is_dense(0)
    over = GridSpec(1, 2, 9, 9, 9)
    assert over.sizes == (512,)
    assert not over.is_dense(0)


@SPECS
def test_resolutions_run_from_the_base_to_the_finest(grid: GridSpec) -> None:
    assert grid.scales[0] == grid.base_resolution - 1
    assert grid.scales[-1] == pytest.approx(grid.finest_resolution - 1)
    assert grid.resolutions[0] == grid.base_resolution
    assert grid.resolutions[-1] == grid.finest_resolution
    assert list(grid.resolutions) == sorted(grid.resolutions)


def test_scales_grow_geometrically() -> None:
    assert SMALL.growth == pytest.approx((67 / 5) ** 0.25)
    nodes = [scale + 1 for scale in SMALL.scales]
    assert [b / a for a, b in pairwise(nodes)] == pytest.approx([SMALL.growth] * 4)
    assert ONE.growth == 1.0


@SPECS
def test_the_cell_size_is_that_of_the_level_and_shrinks_between_levels(grid: GridSpec) -> None:
    whole = [grid.cell_size(level + 1) for level in range(grid.num_levels)]
    assert whole == pytest.approx([1 / scale for scale in grid.scales])
    steps = [grid.cell_size(1 + i / 8) for i in range(8 * (grid.num_levels - 1) + 1)]
    assert all(b < a for a, b in pairwise(steps))


def test_the_cell_size_is_log_linear_in_nodes_between_levels() -> None:
    nodes = [1 / SMALL.cell_size(levels) + 1 for levels in (2.0, 2.5, 3.0)]
    assert nodes[1] == pytest.approx(math.sqrt(nodes[0] * nodes[2]))


def test_a_grid_is_a_value() -> None:
    assert dataclasses.replace(SMALL) == SMALL
    assert hash(dataclasses.replace(SMALL)) == hash(SMALL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        SMALL.num_levels = 3  # type: ignore[misc]
