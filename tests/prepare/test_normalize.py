# SPDX-License-Identifier: MIT
"""The unit frame: exact round trips far from the origin, and bounds that stray points cannot move."""

import numpy as np
import pytest

from fastsdf.prepare.normalize import SceneTransform, fit_transform, robust_bounds

UTM = np.array([4e5, 5e6, 100.0])
SIZE = np.array([6.0, 4.5, 2.6])


def _room(count: int = 20_000, seed: int = 0) -> np.ndarray:
    """Points (count, 3) on the walls of a box with corners 0 and SIZE, metres."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.0, SIZE, (count, 3))
    area = np.prod(SIZE) / SIZE
    axis = rng.choice(3, count, p=area / area.sum())
    points[np.arange(count), axis] = np.where(rng.random(count) < 0.5, 0.0, SIZE[axis])
    return points


ROOM = _room()


@pytest.mark.parametrize("origin", [np.zeros(3), UTM, -UTM], ids=["near", "utm", "negative"])
def test_round_trips_are_exact_to_a_nanometre(origin: np.ndarray) -> None:
    transform = fit_transform(ROOM + origin)
    back = transform.to_world(transform.to_unit(ROOM + origin))
    assert back.dtype == np.float64
    assert np.abs(back - (ROOM + origin)).max() < 1e-9
    unit = np.random.default_rng(1).uniform(-1, 1, (1000, 3))
    assert np.abs(transform.to_unit(transform.to_world(unit)) - unit).max() < 1e-9


@pytest.mark.parametrize("origin", [np.zeros(3), UTM], ids=["near", "utm"])
def test_the_longest_side_fills_the_unit_frame(origin: np.ndarray) -> None:
    transform = fit_transform(ROOM + origin)
    assert transform.half_extent_m == pytest.approx(3.0, abs=1e-6)
    assert transform.center_m == pytest.approx(tuple(SIZE / 2 + origin), abs=2e-3)
    assert transform.upper[0] == pytest.approx(1.0)
    assert transform.upper == pytest.approx(tuple(SIZE / 6), abs=1e-3)
    assert transform.lower == tuple(-u for u in transform.upper)
    unit = transform.to_unit(ROOM + origin)
    assert np.abs(unit).max() <= 1 + 1e-9
    assert np.allclose(unit.max(0), transform.upper, atol=1e-9)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (1, 1, 1), (-1, 0.5, 0)])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_stray_points_ten_metres_away_do_not_move_the_room(direction: tuple[float, ...], count: int) -> None:
    away = SIZE / 2 + 10.0 * np.array(direction) / np.linalg.norm(direction)
    stray = away + np.random.default_rng(2).normal(0.0, 0.5, (count, 3))
    with_stray = fit_transform(np.concatenate([ROOM, stray]))
    assert with_stray == fit_transform(ROOM)
    assert not with_stray.contains(stray).any()


def test_a_thin_scatter_of_outliers_does_not_move_the_room() -> None:
    rng = np.random.default_rng(3)
    stray = SIZE / 2 + rng.uniform(-12, 12, (200, 3))
    transform = fit_transform(np.concatenate([ROOM, stray]))
    assert transform.half_extent_m == pytest.approx(3.0, abs=0.15)


def test_a_thinly_sampled_corner_of_the_room_survives() -> None:
    corner = ROOM[(ROOM > SIZE * 0.75).all(1)]
    rest = ROOM[~(ROOM > SIZE * 0.75).all(1)]
    low, high = robust_bounds(np.concatenate([rest, corner[::8]]))
    assert np.allclose(low, 0.0, atol=1e-9)
    assert np.allclose(high, SIZE, atol=1e-9)


def test_a_small_object_apart_that_was_scanned_densely_is_kept() -> None:
    """A tablet's scan of a room lost an object 1.6 m beside it with 3.5% of the points."""
    rng = np.random.default_rng(2)
    box = SIZE + [1.6, 0.0, 0.0] + 0.3 * rng.random((700, 3))
    _, upper = robust_bounds(np.concatenate([ROOM, box]))
    assert upper[0] > SIZE[0] + 1.85


def test_a_densely_scanned_spot_does_not_shrink_the_room() -> None:
    """Most points of a tripod scan lie near the tripod."""
    spot = np.random.default_rng(4).uniform(0.0, 0.5, (400_000, 3)) * (1, 1, 0) + (1.0, 1.0, 0.0)
    low, high = robust_bounds(np.concatenate([ROOM, spot]))
    assert np.allclose(low, 0.0, atol=0.05)
    assert np.allclose(high, SIZE, atol=0.05)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("origin", [np.zeros(3), UTM], ids=["near", "utm"])
def test_flat_clouds_have_a_flat_box(axis: int, origin: np.ndarray) -> None:
    points = np.random.default_rng(5).uniform(0.0, 2.0, (3000, 3))
    points[:, axis] = 0.25
    transform = fit_transform(points + origin)
    assert transform.half_extent_m == pytest.approx(1.0, abs=0.01)
    assert transform.upper[axis] == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(transform.to_unit(points + origin)).all()
    assert transform.contains(points + origin, margin=0.01).all()


def test_points_on_a_line_have_a_frame() -> None:
    points = np.linspace(0.0, 4.0, 500)[:, None] * np.array([1.0, 0.0, 0.0]) + UTM
    transform = fit_transform(points)
    assert transform.half_extent_m == pytest.approx(2.0)
    assert transform.upper == pytest.approx((1.0, 0.0, 0.0))


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_handful_of_points_keeps_them_all(count: int) -> None:
    points = np.random.default_rng(6).uniform(-1, 1, (count, 3))
    low, high = robust_bounds(points)
    assert np.array_equal(low, points.min(0))
    assert np.array_equal(high, points.max(0))


def test_contains_widens_by_the_margin() -> None:
    transform = SceneTransform((10.0, 0.0, 0.0), 2.0, (-1.0, -0.5, -0.5), (1.0, 0.5, 0.5))
    points = np.array([[8.0, 1.0, -1.0], [12.3, 0.0, 0.0], [10.0, 1.3, 0.0]])
    assert transform.contains(points).tolist() == [True, False, False]
    assert transform.contains(points, margin=0.2).tolist() == [True, True, True]


def test_the_state_restores_the_transform() -> None:
    transform = fit_transform(ROOM + UTM)
    assert SceneTransform(**transform.state()) == transform


@pytest.mark.parametrize("count", [500, 1000, 2000, 3000, 5000, 20000])
def test_sparse_curved_scans_keep_their_points(count: int) -> None:
    direction = np.random.default_rng(count).normal(size=(count, 3))
    points = 0.5 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    low, high = robust_bounds(points)
    assert np.allclose(low, -0.5, atol=0.03) and np.allclose(high, 0.5, atol=0.03)
