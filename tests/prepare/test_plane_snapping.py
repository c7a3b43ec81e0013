# SPDX-License-Identifier: MIT
"""Normals beside edges, and points moved onto planes: against boxes, spheres and boards of known shape."""

import numpy as np
import pytest
import torch

from fastsdf.prepare.local_geometry import measure_local_geometry
from fastsdf.prepare.plane_fits import edge_preserving_normals, fit_planes
from fastsdf.prepare.plane_snapping import snap_to_planes
from fastsdf.spatial.knn import point_index

NOISE = 0.003
UTM = np.array([4e5, 5e6, 100.0])


def edge(rng: np.random.Generator, count: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) on two squares of 1 m that meet at a right angle, with noise, and their true normals."""
    u, v = rng.uniform(0, 1, (2, 2 * count))
    flat = np.stack([u, v, 0 * u], 1)[:count]
    steep = np.stack([0 * u, v, u], 1)[count:]
    normals = np.repeat([[0.0, 0, 1], [1, 0, 0]], count, axis=0)
    return np.concatenate([flat, steep]) + NOISE * rng.normal(size=(2 * count, 1)) * normals, normals


def wall(rng: np.random.Generator, count: int = 5000, noise: float = NOISE) -> np.ndarray:
    """Points (n, 3) on a square metre of the plane z = 0, with noise."""
    return np.stack([*rng.uniform(0, 1, (2, count)), noise * rng.normal(size=count)], 1)


def flatten(points: np.ndarray, normals: np.ndarray, neighbours: int = 96) -> tuple[np.ndarray, np.ndarray, float]:
    """`snap_to_planes` for arrays, with the points as they are where no plane explains them."""
    cloud, noise = torch.from_numpy(points), torch.full((len(points),), NOISE, dtype=torch.float64)
    moved, turned, share = snap_to_planes(
        cloud, cloud, torch.from_numpy(normals), point_index(cloud), noise, neighbours
    )
    return moved.numpy(), turned.numpy(), float(share.double().mean())


def angles(normals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Degrees (n,) between axes."""
    return np.degrees(np.arccos(np.clip(np.abs((normals * truth).sum(1)), 0, 1)))


def test_a_plane_is_found_to_the_last_digits() -> None:
    rng = np.random.default_rng(0)
    axis = np.array([2.0, 3.0, 6.0]) / 7
    points = rng.normal(size=(500, 3))
    points += (1.5 - points @ axis)[:, None] * axis
    cloud = torch.from_numpy(points)
    nearest = point_index(cloud).query(cloud, 9)[1]
    fits = fit_planes(cloud, nearest)
    assert np.abs(fits.normals.numpy() @ axis) == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(fits.centers.numpy(), points[nearest].mean(1) - points, rtol=0, atol=1e-12)
    assert float(fits.deviation.max()) < 1e-7


def test_the_deviation_is_free_of_bias() -> None:
    cloud = torch.from_numpy(wall(np.random.default_rng(1)))
    _, nearest = point_index(cloud).query(cloud, 17)
    for size in (8, 12, 17):
        deviation = fit_planes(cloud, nearest[:, :size]).deviation
        assert float(deviation.square().mean().sqrt()) == pytest.approx(NOISE, rel=0.06)


@pytest.mark.parametrize("origin", [np.zeros(3), UTM])
def test_normals_beside_an_edge_are_those_of_one_face(origin: np.ndarray) -> None:
    points, truth = edge(np.random.default_rng(2))
    cloud = torch.from_numpy(points + origin)
    _, nearest = point_index(cloud).query(cloud, 17)
    fits = fit_planes(cloud, nearest)
    beside = np.abs(points[:, [0, 2]]).max(1) < 0.02
    plain = angles(fits.normals.numpy(), truth)[beside]
    kept = angles(edge_preserving_normals(cloud, nearest, fits)[0].numpy(), truth)[beside]
    assert np.median(plain) > 15 and np.median(kept) < 8
    far = np.abs(points[:, [0, 2]]).max(1) > 0.05
    assert np.median(angles(measure_local_geometry(cloud).normals.numpy(), truth)[far]) < 6


def test_a_point_alone_keeps_its_own_plane() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate([wall(rng, 2500), rng.uniform(1, 2, (200, 3))])
    cloud = torch.from_numpy(points)
    _, nearest = point_index(cloud).query(cloud, 17)
    fits = fit_planes(cloud, nearest)
    normals, normal_weight = edge_preserving_normals(cloud, nearest, fits)
    rough = (fits.deviation > 0.02).nonzero()[:, 0]
    own = (normals[rough] * fits.normals[rough]).sum(1).abs() > 1 - 1e-12
    assert len(rough) > 100 and float(own.double().mean()) > 0.8
    assert (
        float((normal_weight[rough] < 0.5).double().mean()) > 0.8
        and float((normal_weight[:2500] == 1).double().mean()) > 0.95
    )
    assert normals.norm(dim=1).numpy() == pytest.approx(1)


@pytest.mark.parametrize("origin", [np.zeros(3), UTM])
def test_a_noisy_wall_becomes_flat(origin: np.ndarray) -> None:
    points = wall(np.random.default_rng(4))
    normals = np.tile([0.1, 0.0, 1.0], (len(points), 1)) / np.hypot(0.1, 1.0)
    moved, turned, share = flatten(points + origin, normals)
    inside = ((points[:, :2] > 0.1) & (points[:, :2] < 0.9)).all(1)
    assert share > 0.7
    height = (moved - origin)[inside, 2]
    assert np.sqrt(np.mean(height**2)) < 0.55 * NOISE and np.median(np.abs(height)) < 0.1 * NOISE
    assert np.median(angles(turned[inside], np.array([[0.0, 0.0, 1.0]]))) < 1
    assert (turned[:, 2] > 0).all()
    assert np.abs((moved - origin)[:, :2] - points[:, :2]).max() < 2 * NOISE


def test_the_faces_of_a_board_stay_apart() -> None:
    rng = np.random.default_rng(5)
    sides = [wall(rng) + np.array([0, 0, z]) for z in (0.0, 0.01)]
    normals = np.repeat([[0.0, 0, -1], [0, 0, 1]], 5000, axis=0)
    moved, turned, _ = flatten(np.concatenate(sides), normals)
    low, high = moved[:5000, 2], moved[5000:, 2]
    assert np.median(low) == pytest.approx(0, abs=3e-4) and np.median(high) == pytest.approx(0.01, abs=3e-4)
    assert ((turned * normals).sum(1) > 0.9).all()


@pytest.mark.parametrize("radius", [0.05, 0.3, 1.0])
def test_a_ball_stays_round(radius: float) -> None:
    """Points are moved only where the bend drowns in the noise, and then by less than it."""
    rng = np.random.default_rng(6)
    normals = rng.normal(size=(20_000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals[: int(20_000 * min(radius, 1))]
    points = normals * (radius + NOISE * rng.normal(size=(len(normals), 1)))
    moved, _, _ = flatten(points, normals)
    error = np.linalg.norm(moved, axis=1) - radius
    assert np.sqrt(np.mean(error**2)) < 1.05 * NOISE
    assert abs(error.mean()) < 0.25 * NOISE


def test_a_step_of_a_few_deviations_is_kept() -> None:
    rng = np.random.default_rng(7)
    points, up = wall(rng), np.tile([0.0, 0.0, 1.0], (5000, 1))
    higher = points[:, 0] > 0.5
    points[higher, 2] += 5 * NOISE
    moved, _, _ = flatten(points, up)
    near = np.abs(points[:, 0] - 0.5) < 0.03
    assert np.median(moved[near & higher, 2]) - np.median(moved[near & ~higher, 2]) > 4 * NOISE


def test_nothing_moves_where_it_is_switched_off_or_free_of_noise() -> None:
    points = torch.from_numpy(wall(np.random.default_rng(8), 300))
    elsewhere, normals = points + 1, torch.ones_like(points)
    for noise, neighbours in ((NOISE, 0), (0.0, 96)):
        noises = torch.full_like(points[:, 0], noise)
        moved, turned, flat = snap_to_planes(points, elsewhere, normals, point_index(points), noises, neighbours)
        assert moved is elsewhere and turned is normals and not flat.any()


def test_each_point_is_judged_by_the_noise_at_its_place() -> None:
    rng = np.random.default_rng(11)
    points = torch.from_numpy(wall(rng))
    far = points[:, 0] > 0.5
    points[far, 2] *= 3  # three times the noise in one half
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(points), 3)
    one = torch.full_like(points[:, 0], NOISE)
    deep = far & (points[:, 0] > 0.65)
    for noise, flat_there in ((one, False), (torch.where(far, 3 * NOISE, NOISE), True)):
        moved, _, flat = snap_to_planes(points, points, up, point_index(points), noise, 96)
        assert (float(flat[deep].double().mean()) > 0.9) == flat_there
        assert float(flat[points[:, 0] < 0.35].double().mean()) > 0.9
        assert (float(moved[deep, 2].abs().median()) < NOISE) == flat_there
