# SPDX-License-Identifier: MIT
"""The counts of the roofline agree with an enumeration of table entries and with arithmetic by hand."""

import numpy as np
import pytest

from benchmarks.speed.ceilings import H100, Ceilings
from benchmarks.speed.roofline import Work, compare, distinct_corners, gathered_corners, network_products, step_work
from fastsdf.field.hash_grid import GridSpec

POINTS = 20_000  # random centres; the mean is accurate to 1%


def enumerated(delta: float) -> float:
    """Mean number of distinct nodes that the seven taps around random centres use."""
    rng = np.random.default_rng(0)
    taps = np.concatenate([np.zeros((1, 3)), delta * np.eye(3), -delta * np.eye(3)])
    cells = np.floor(rng.uniform(10.0, 11.0, (POINTS, 1, 3)) + taps).astype(int)
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), axis=-1).reshape(-1, 3)
    nodes = (cells[:, :, None] + corners).reshape(POINTS, -1, 3) @ np.array([1, 100, 10_000])
    nodes.sort(axis=1)
    return float((np.diff(nodes, axis=1) != 0).sum(1).mean() + 1)


@pytest.mark.parametrize("delta", [0.0, 0.01, 0.3, 0.5, 1.0, 1.4, 2.0, 5.3])
def test_distinct_corners_agree_with_an_enumeration(delta: float) -> None:
    assert distinct_corners(delta) == pytest.approx(enumerated(delta), rel=0.01)


def test_the_kernels_share_corners_up_to_one_cell() -> None:
    assert gathered_corners(0.5) == 20 and gathered_corners(1.0) == 32 and gathered_corners(1.001) == 56


def test_table_traffic_of_a_grid_is_the_sum_over_its_levels() -> None:
    grid = GridSpec(4, 2, log2_table_size=14, base_resolution=8, finest_resolution=64)
    step, points = 0.5 / 63, 1000
    work = step_work(grid, 32, 1, points, step)
    expected = points * sum(enumerated(step * scale) for scale in grid.scales)
    assert work["encoding forward"].gathers == pytest.approx(expected, rel=0.01)
    assert work["encoding backward"].atomics == work["encoding forward"].gathers
    assert work["encoding forward"].atomics == 0
    assert work["zeroed gradient of the table"].bytes == grid.num_entries * 8


def test_a_table_is_read_at_most_once() -> None:
    grid = GridSpec(2, 2, log2_table_size=10, base_resolution=4, finest_resolution=8)
    fewer, more = (step_work(grid, 16, 1, n, 0.01)["encoding forward"].bytes for n in (10_000, 20_000))
    assert more - fewer == 10_000 * (12 + 4 * 16)


def test_matrix_products_of_the_default_setting() -> None:
    grid = GridSpec(16, 2, 19, 16, 2048)
    forward, gradients = network_products(grid, 64, 2)
    weights = 35 * 64 + 64 * 64
    assert forward == 9 * 2 * weights and gradients == 7 * 4 * weights


def test_the_minimum_time_is_set_by_the_scarcest_resource() -> None:
    ceilings = Ceilings(bytes=1e9, gathers=1e6, atomics=1e6, far_gathers=1e6, fp16=1e12, fp32=1e12)
    (row,) = compare({"part": Work(bytes=1e6, gathers=4e3, fp32=1e9)}, ceilings, {"part": 8.0})
    assert row["bound by"] == "gathers" and row["floor ms"] == "4.000" and row["of possible"] == "50%"
    (row,) = compare({"part": Work(bytes=H100.bytes)}, H100)
    assert row["floor ms"] == "1000.000" and "ms" not in row
