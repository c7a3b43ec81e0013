# SPDX-License-Identifier: MIT
"""Schedules at their knots, between them and at both ends of the training."""

import math
from itertools import pairwise
from typing import Any

import pytest

from fastsdf.config.training_models import LevelsConfig, RateConfig, ViscosityConfig
from fastsdf.training.schedules import PAPER_VISCOSITY, active_levels, piecewise_linear, rate_factor, viscosity

KNOTS = ((0.2, 1.0), (0.4, 0.5), (0.8, 0.1))
TIMES = [i / 200 for i in range(201)]


@pytest.mark.parametrize(
    ("t", "value"),
    [(0.0, 1.0), (0.2, 1.0), (0.3, 0.75), (0.4, 0.5), (0.6, 0.3), (0.7, 0.2), (0.8, 0.1), (1.0, 0.1)],
)
def test_knots_are_joined_by_lines_and_held_outside(t: float, value: float) -> None:
    assert piecewise_linear(t, KNOTS) == pytest.approx(value)


def test_one_knot_is_a_constant() -> None:
    assert [piecewise_linear(t, [(0.5, 3.0)]) for t in (0.0, 0.5, 1.0)] == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("name", PAPER_VISCOSITY)
def test_presets_pass_through_their_knots_and_end_at_zero(name: Any) -> None:
    config = ViscosityConfig(schedule=name, end=1.01)
    for t, value in PAPER_VISCOSITY[name]:
        assert viscosity(t, config, 0.01) == pytest.approx(value)
    values = [viscosity(t, config, 0.01) for t in TIMES]
    assert all(b <= a for a, b in pairwise(values))
    assert values[-1] == 0.0


@pytest.mark.parametrize(
    ("name", "t", "value"),
    [("shapenet", 0.15, 0.625), ("srb", 0.3, 0.22), ("scut", 0.3, 0.5), ("scene", 0.25, 0.255), ("scene", 0.55, 0.005)],
)
def test_presets_between_their_knots(name: Any, t: float, value: float) -> None:
    assert viscosity(t, ViscosityConfig(schedule=name), 0.01) == pytest.approx(value)


def test_presets_do_not_depend_on_the_step() -> None:
    config = ViscosityConfig(schedule="srb")
    assert viscosity(0.1, config, 0.01) == viscosity(0.1, config, 1.0)


def test_piecewise_follows_the_configured_knots() -> None:
    config = ViscosityConfig(schedule="piecewise", knots=KNOTS, end=0.9)
    assert viscosity(0.3, config, 0.01) == pytest.approx(0.75)
    assert viscosity(0.89, config, 0.01) == pytest.approx(0.1)
    assert viscosity(0.9, config, 0.01) == 0.0


def test_tied_is_proportional_to_the_step_and_fades_before_the_end() -> None:
    config = ViscosityConfig(schedule="tied", cells=2.0, fade=0.3, end=0.8)
    assert viscosity(0.0, config, 0.01) == pytest.approx(0.02)
    assert viscosity(0.5, config, 0.03) == pytest.approx(0.06)
    assert viscosity(0.65, config, 0.03) == pytest.approx(0.03)
    assert viscosity(0.8 - 1e-9, config, 0.03) == pytest.approx(0.0, abs=1e-9)


def test_exponential_loses_its_decades() -> None:
    config = ViscosityConfig(schedule="exponential", start=0.5, decades=4.0, end=1.01)
    found = [viscosity(t, config, 0.01) for t in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([0.5, 0.05, 0.005, 0.00005])


def test_the_floor_holds_until_the_end() -> None:
    config = ViscosityConfig(schedule="exponential", floor_cells=0.5, end=0.7)
    assert viscosity(0.0, config, 0.02) == pytest.approx(1.0)
    assert viscosity(0.69, config, 0.02) == pytest.approx(0.01)
    assert viscosity(0.7, config, 0.02) == 0.0


@pytest.mark.parametrize("name", ["tied", "piecewise", "exponential", *PAPER_VISCOSITY])
def test_viscosity_is_never_negative_and_exactly_zero_from_the_end_on(name: Any) -> None:
    config = ViscosityConfig(schedule=name, end=0.55, floor_cells=0.1)
    for t in TIMES:
        value = viscosity(t, config, 0.02)
        assert (value == 0.0) if t >= 0.55 else (value >= 0.002)


@pytest.mark.parametrize("num_levels", [1, 3, 12])
@pytest.mark.parametrize("first", [1, 4, 20])
@pytest.mark.parametrize("unlock_end", [0.0, 0.5, 1.0])
def test_levels_unlock_steadily_until_all_are_active(num_levels: int, first: int, unlock_end: float) -> None:
    config = LevelsConfig(first=first, unlock_end=unlock_end)
    values = [active_levels(t, num_levels, config) for t in TIMES]
    assert values[0] == (num_levels if unlock_end == 0 else min(first, num_levels))
    assert all(a <= b for a, b in pairwise(values))
    assert all(v == num_levels for t, v in zip(TIMES, values, strict=True) if t >= unlock_end)


def test_half_of_the_locked_levels_are_open_halfway() -> None:
    assert active_levels(0.2, 12, LevelsConfig(first=4, unlock_end=0.4)) == pytest.approx(8.0)
    assert active_levels(0.1, 12, LevelsConfig(first=4, unlock_end=0.8)) == pytest.approx(5.0)


@pytest.mark.parametrize("decay_start", [0.0, 0.5, 1.0])
def test_rates_start_whole_and_fall_to_the_final_factor(decay_start: float) -> None:
    config = RateConfig(decay_start=decay_start, final=0.05)
    values = [rate_factor(t, config) for t in TIMES]
    assert values[0] == 1.0
    assert all(b <= a for a, b in pairwise(values))
    assert all(v == 1.0 for t, v in zip(TIMES, values, strict=True) if t <= decay_start)
    assert values[-1] == pytest.approx(1.0 if decay_start == 1.0 else 0.05)


def test_rates_follow_a_half_cosine() -> None:
    config = RateConfig(decay_start=0.4, final=0.2)
    assert rate_factor(0.7, config) == pytest.approx(0.6)
    assert rate_factor(0.55, config) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.sqrt(0.5)))
