# SPDX-License-Identifier: MIT
"""Bilateral smoothing: noise falls, shapes stay; and the estimates of noise and normals that it starts from."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch

from fastsdf.prepare import bilateral as smoothing
from fastsdf.prepare.local_geometry import LocalGeometry, measure_local_geometry

NOISE = 0.003
ROUNDS = 2
UTM = np.array([4e5, 5e6, 100.0])


class Smoothed(NamedTuple):
    """A noisy cloud, its measured geometry, and the points and normals after smoothing."""

    noisy: np.ndarray
    geometry: LocalGeometry
    points: np.ndarray
    normals: np.ndarray


def smooth(points: np.ndarray, rounds: int = ROUNDS) -> Smoothed:
    """Measures and smooths as a fit does, with normals of arbitrary but locally equal sign."""
    geometry = measure(points)
    found = geometry.normals.numpy()
    normals = found * np.where(found @ [0.1, 0.3, 1.0] < 0, -1.0, 1.0)[:, None]
    return Smoothed(points, geometry, *smooth_points(points, normals, geometry, NOISE, rounds))


def measure(points: np.ndarray) -> LocalGeometry:
    return measure_local_geometry(torch.from_numpy(points))


def smooth_points(
    points: np.ndarray, normals: np.ndarray, geometry: LocalGeometry, noise: float, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """`fastsdf.prepare.bilateral.smooth_points` for arrays."""
    tensors = torch.from_numpy(points), torch.from_numpy(normals), geometry.spacing, geometry.nearest
    moved, turned = smoothing.smooth_points(*tensors, torch.full_like(geometry.spacing, noise), rounds)
    return moved.numpy(), turned.numpy()


def square(count: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Points (count, 3) even on a square of the plane z = 0."""
    return np.stack([*rng.uniform(0, size, (2, count)), np.zeros(count)], axis=1)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@cache
def plane() -> Smoothed:
    rng = np.random.default_rng(0)
    points = square(8000, 1.5, rng)
    points[:, 2] = NOISE * rng.standard_normal(len(points))
    return smooth(points)


@cache
def sphere() -> Smoothed:
    rng = np.random.default_rng(1)
    direction = rng.standard_normal((20_000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return smooth((0.5 + NOISE * rng.standard_normal((20_000, 1))) * direction)


def tilt_degrees(normals: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.abs((normals * true).sum(1)).clip(max=1)))


def test_noise_on_a_plane_more_than_halves() -> None:
    noisy, geometry, points, normals = plane()
    assert rms(points[:, 2]) < 0.5 * rms(noisy[:, 2])
    before, after = (np.median(tilt_degrees(n, np.eye(3)[2])) for n in (geometry.normals.numpy(), normals))
    assert after < 0.6 * before
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


def test_a_sphere_keeps_its_radius() -> None:
    noisy, geometry, points, normals = sphere()
    radius = np.linalg.norm(points, axis=1)
    assert radius.mean() == pytest.approx(0.5, abs=1e-3)
    assert rms(radius - radius.mean()) < 0.5 * NOISE
    out = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    assert np.median(tilt_degrees(normals, out)) < 0.6 * np.median(tilt_degrees(geometry.normals.numpy(), out))


@pytest.mark.parametrize("opposed", [False, True], ids=["same side", "facing apart"])
def test_parallel_sheets_stay_apart(opposed: bool) -> None:
    rng = np.random.default_rng(2)
    sheets = [square(8000, 1.5, rng) + np.array([0.0, 0.0, z]) for z in (0.0, 0.03)]
    points = np.concatenate(sheets) + NOISE * rng.standard_normal((16_000, 3))
    normals = np.tile([0.0, 0.0, 1.0], (16_000, 1))
    normals[:8000] *= -1 if opposed else 1
    moved, _ = smooth_points(points, normals, measure(points), NOISE, rounds=5)
    low, high = moved[:8000, 2], moved[8000:, 2]
    assert high.mean() - low.mean() == pytest.approx(0.03, abs=3e-4)
    assert low.std() < 0.6 * NOISE and high.std() < 0.6 * NOISE
    assert high.min() - low.max() > 0.01


def test_a_right_angle_keeps_its_edge() -> None:
    rng = np.random.default_rng(3)
    floor, wall = square(8000, 1.5, rng), square(8000, 1.5, rng)[:, [2, 0, 1]]
    points = np.concatenate([floor, wall]) + NOISE * rng.standard_normal((16_000, 3))
    moved = smooth(points).points
    true = np.concatenate([floor, wall])
    edge = np.hypot(true[:, 0], true[:, 2]) < 0.03
    beside = np.minimum(np.abs(moved[:, 0]), np.abs(moved[:, 2]))  # distance to the nearer of the two faces
    assert edge.sum() > 200
    assert rms(beside[edge]) < NOISE
    inwards = np.mean(moved[edge][:, [0, 2]] - true[edge][:, [0, 2]], axis=0)
    assert np.abs(inwards).max() < 0.6 * NOISE  # the rounding of the edge


@pytest.mark.parametrize(("noise", "rounds"), [(NOISE, 0), (0.0, 3), (-1.0, 3)])
def test_nothing_to_do_returns_the_input(noise: float, rounds: int) -> None:
    geometry, noisy = plane().geometry, torch.from_numpy(plane().noisy)
    points, normals = smoothing.smooth_points(
        noisy, geometry.normals, geometry.spacing, geometry.nearest, torch.full_like(geometry.spacing, noise), rounds
    )
    assert points is noisy and normals is geometry.normals


@pytest.mark.parametrize("rounds", [1, 10])
def test_points_move_by_three_sigmas_at_most(rounds: int) -> None:
    cloud = plane()
    rough = cloud.noisy + [[0.0, 0.0, 1.0]] * np.random.default_rng(4).normal(0, 4 * NOISE, (len(cloud.noisy), 1))
    moved, _ = smooth_points(rough, np.tile([0.0, 0.0, 1.0], (len(rough), 1)), measure(rough), NOISE, rounds)
    shift = np.linalg.norm(moved - rough, axis=1)
    assert shift.max() <= 3 * NOISE + 1e-6
    assert shift.max() > 1.5 * NOISE


def test_points_without_support_stay() -> None:
    stray = np.array([[0.7, 0.7, 0.2], [0.2, 0.9, -0.4]])
    points = np.concatenate([plane().noisy, stray])
    moved = smooth(points).points
    assert np.linalg.norm(moved[-2:] - stray, axis=1).max() < 0.1 * NOISE


@pytest.mark.parametrize("noise", [0.001, NOISE, 0.006])
def test_noise_is_measured_within_fifteen_percent(noise: float) -> None:
    rng = np.random.default_rng(5)
    points = square(8000, 1.5, rng) + noise * rng.standard_normal((8000, 3))
    assert measure(points).noise == pytest.approx(noise, rel=0.15)


@pytest.mark.parametrize("shape", [plane, sphere])
def test_measured_noise_is_that_of_the_shape(shape) -> None:
    assert shape().geometry.noise == pytest.approx(NOISE, rel=0.15)


def test_large_coordinates_change_nothing() -> None:
    near = plane()
    far = smooth(near.noisy + UTM)
    assert far.geometry.noise == pytest.approx(near.geometry.noise, rel=1e-4)
    np.testing.assert_allclose(far.geometry.spacing, near.geometry.spacing, rtol=1e-5)
    np.testing.assert_allclose(far.points - UTM, near.points, rtol=0, atol=1e-6)
    assert np.median(tilt_degrees(far.normals, near.normals)) < 0.1
