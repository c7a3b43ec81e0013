# SPDX-License-Identifier: MIT
"""Distances near a scan, the batches of a fit, and the shape it starts from."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from fastsdf.config.models import SamplingConfig
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import FieldSpec, HashGridSDF
from fastsdf.prepare.normalize import BOX_PADDING
from fastsdf.prepare.prepared_scan import SurfacePoints
from fastsdf.spatial.knn import point_index
from fastsdf.training.disc_targets import KNOWN_DEPTH_SPACINGS, disc_distance, near_targets
from fastsdf.training.ray_targets import free_targets
from fastsdf.training.sampling import Sampler, TrainBatch
from fastsdf.training.warm_start import ball_sdf, inverted_box_sdf, start_shape, warm_start

UP = np.array([0.0, 0.0, 1.0])
POOL = (20_000, 40_000)
COUNTS: dict[str, Any] = {"surface_points": 300, "near_points": 200, "uniform_points": 100}


@pytest.fixture(autouse=True)
def _small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastsdf.training.disc_targets.POOL_RANGE", POOL)


def scattered_square(count: int, spacing: float, height: float = 0.0, seed: int = 0) -> np.ndarray:
    """Points (count, 3) even on a square of the plane z = height, centred, with this spacing."""
    half = spacing * count**0.5 / 2
    xy = np.random.default_rng(seed).uniform(-half, half, (count, 2))
    return np.column_stack([xy, np.full(count, height)])


def distances(
    samples: np.ndarray, points: np.ndarray, normals: np.ndarray, spacing: float = 0.02, confidence: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    at, points, normals = (torch.from_numpy(a) for a in (samples, points, normals))
    same = torch.ones(len(points), dtype=torch.float64)
    lower, upper, found = disc_distance(at, point_index(points), normals, spacing * same, confidence * same, same)
    beyond = -lower - KNOWN_DEPTH_SPACINGS * spacing
    torch.testing.assert_close(upper, torch.where(beyond > 0, beyond, lower), rtol=0, atol=1e-12)
    return lower.numpy(), found.numpy()


@pytest.mark.parametrize("confidence", [1.0, 0.25, 0.0])
@pytest.mark.parametrize("normal", [UP, np.array([0.6, 0.0, 0.8])])
def test_disc_distance_is_exact_on_a_plane(normal: np.ndarray, confidence: float) -> None:
    points = scattered_square(2000, 0.02)
    points[:, 2] = -(points[:, 0] * normal[0] + points[:, 1] * normal[1]) / normal[2]
    samples = points[:500] + np.random.default_rng(1).normal(0, 0.02, (500, 3))
    found, found_confidence = distances(samples, points, np.tile(normal, (2000, 1)), confidence=confidence)
    np.testing.assert_allclose(found, samples @ normal, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found_confidence, confidence, atol=1e-12)


@pytest.mark.parametrize("outwards", [1.0, -1.0])
def test_disc_distance_follows_a_sphere(outwards: float) -> None:
    rng = np.random.default_rng(2)
    direction = rng.standard_normal((20_000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    samples = 0.5 * direction[:2000] + rng.normal(0, 0.01, (2000, 3))
    found, _ = distances(samples, 0.5 * direction, outwards * direction, 0.0125)
    error = found - outwards * (np.linalg.norm(samples, axis=1) - 0.5)
    assert np.abs(error).max() < 1.5e-3  # the sagitta at two spacings is 0.6 mm
    assert np.abs(error).mean() < 4e-4


def test_both_faces_of_a_thin_board_keep_their_sign() -> None:
    faces = [scattered_square(4000, 0.01, z, seed) for seed, z in enumerate((0.0, 0.02))]
    normals = np.repeat([-UP, UP], 4000, axis=0)
    rng = np.random.default_rng(3)
    samples = np.column_stack([rng.uniform(-0.25, 0.25, (2000, 2)), rng.uniform(-0.01, 0.03, 2000)])
    found, _ = distances(samples, np.concatenate(faces), normals, 0.01)
    z = samples[:, 2]
    true = np.maximum(-z, z - 0.02)
    decided = np.abs(z - 0.01) > 0.007  # between, the nearest point may be on either face
    np.testing.assert_allclose(found[decided], true[decided], rtol=0, atol=1e-12)
    inside = (z > 0.003) & (z < 0.017)
    assert (found[inside] < 0).all()


def test_near_targets_lie_around_the_points_drawn() -> None:
    points, count = scattered_square(2000, 0.02), 5000
    drawn = np.random.default_rng(4).integers(0, 2000, count)
    shifts = np.random.default_rng(5).standard_normal((count, 3))
    arrays = (np.tile(UP, (2000, 1)), np.full(2000, 0.02), np.ones(2000), np.ones(2000), drawn, shifts)
    near = near_targets(point_index(torch.from_numpy(points)), *(torch.from_numpy(a) for a in arrays), spread=0.75)
    shift = near.points.numpy() - points[drawn]
    assert shift.std() == pytest.approx(0.75 * 0.02, rel=0.03)
    assert np.abs(shift.mean(0)).max() < 1e-3
    np.testing.assert_allclose(near.lower, near.points[:, 2], atol=1e-7)
    assert [a.dtype for a in near] == [torch.float32] * 4 and [len(a) for a in near] == [count] * 4


@pytest.mark.parametrize("normal_weight", [0.0, 0.25, 1.0, 4.0])
def test_a_low_normal_weight_gives_an_interval_that_the_nearest_point_bounds(normal_weight: float) -> None:
    points = torch.from_numpy(scattered_square(2000, 0.02))
    samples = points[:300] + 0.02 * torch.randn(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    same, index = torch.ones(2000, dtype=torch.float64), point_index(points)
    normals = torch.tensor(UP).double().expand(2000, 3)
    lower, upper, _ = disc_distance(samples, index, normals, 0.02 * same, same, normal_weight * same)
    gap, weight = index.query(samples, 1)[0][:, 0], min(normal_weight, 1.0)
    front = samples[:, 2] > 0
    torch.testing.assert_close((upper - lower)[front], 2 * (1 - weight) * gap[front], rtol=0, atol=1e-12)
    torch.testing.assert_close((upper + lower)[front] / 2, weight * samples[front, 2], rtol=0, atol=1e-12)
    torch.testing.assert_close(lower, weight * samples[:, 2] - (1 - weight) * gap, rtol=0, atol=1e-12)
    assert (lower <= samples[:, 2] + 1e-12).all() and (upper >= samples[:, 2] - 1e-12).all()


def test_behind_a_surface_a_thin_solid_may_end() -> None:
    points = torch.from_numpy(scattered_square(2000, 0.02))
    depth = torch.tensor([0.004, 0.006, 0.03], dtype=torch.float64)
    samples = torch.stack([points[0, 0].expand(3), points[0, 1].expand(3), -depth], 1)
    same, normals = torch.ones(2000, dtype=torch.float64), torch.tensor(UP).double().expand(2000, 3)
    lower, upper, _ = disc_distance(samples, point_index(points), normals, 0.02 * same, same, same)
    torch.testing.assert_close(lower, -depth, rtol=0, atol=1e-12)
    expected = torch.tensor([-0.004, 0.001, 0.025], dtype=torch.float64)  # from a depth of a quarter spacing, 5 mm, on
    torch.testing.assert_close(upper, expected, rtol=0, atol=1e-12)


def test_rays_bound_the_distance_to_the_surface_from_the_air() -> None:
    board = scattered_square(4000, 0.01, 0.0)
    behind = scattered_square(4000, 0.01, -1.0, seed=1) + np.array([2.0, 0.0, 0.0])
    points = torch.from_numpy(np.concatenate([board, behind]))
    views = torch.tensor([-1.0, 0.0, 3.0]) - points
    spacing, generator = torch.full((8000,), 0.01, dtype=torch.float64), torch.Generator().manual_seed(0)
    drawn = torch.randint(8000, (20_000,), generator=generator)
    ray_positions = torch.rand(20_000, generator=generator, dtype=torch.float64)
    near = free_targets(point_index(points), views, spacing, drawn, ray_positions)
    truth = torch.cdist(near.points.double(), points).amin(1)
    torch.testing.assert_close(near.upper.double(), truth, rtol=1e-5, atol=1e-6)
    assert near.upper.max() < 4 * 0.01 and not near.lower.any() and (near.confidence == 1).all()
    depth = near.points[:, 2].double() + (near.points[:, 0] > 1).double()
    assert (depth > 0).all() and 9_000 <= len(near.points) < 12_000


def test_a_normal_is_as_long_as_it_weighs() -> None:
    normal_weight = np.random.default_rng(0).choice([0.1, 1.0, 4.0], 3000).astype(np.float32)
    scan = surface(normal_weight=normal_weight)
    drawn = batch(scan)
    _, index = KDTree(scan.points).query(drawn.surface.numpy())
    np.testing.assert_allclose(drawn.normals.norm(dim=1).numpy(), normal_weight[index], rtol=1e-6)


def test_the_pool_is_smaller_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastsdf.training.disc_targets.CPU_POOL", 21_000)
    sampler = Sampler(surface(8000), SamplingConfig(**COUNTS), "cpu", torch.float32, 0)
    assert len(sampler._pool) == 21_000
    few = Sampler(surface(8000), SamplingConfig(**COUNTS, near_pool=5000), "cpu", torch.float32, 0)
    assert len(few._pool) == 5000


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_points_without_a_trusted_normal_are_drawn_more_often(weight: float) -> None:
    normal_weight = np.repeat(np.float32([0.1, 0.7, 4.0]), 1000)
    scan = surface(normal_weight=normal_weight)
    drawn = batch(scan, surface_points=40_000, rough_weight=weight)
    _, index = KDTree(scan.points).query(drawn.surface.numpy())
    shares = np.bincount(index // 1000, minlength=3) / 40_000
    odds = np.array([1 + 0.9 * weight, 1 + 0.3 * weight, 1])
    np.testing.assert_allclose(shares, odds / odds.sum(), atol=0.01)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_pool_lies_on_rays(share: float) -> None:
    scan = surface()
    scan = dataclasses.replace(scan, views=np.tile(np.float32([0, 0, 2]), (3000, 1)))
    drawn = batch(scan, near_points=4000, ray_share=share)
    on_rays = drawn.near_lower == 0
    assert float(on_rays.double().mean()) == pytest.approx(share / (2 - share), abs=0.03)  # half of them is far
    assert (drawn.near[on_rays][:, 2] > 0).all()


def surface(count: int = 3000, dense: int = 0, normal_weight: np.ndarray | None = None) -> SurfacePoints:
    """A square of points 0.02 apart, with ``dense`` more points a quarter as far apart on a patch beside it."""
    patch = scattered_square(max(dense, 1), 0.005, seed=1)[:dense] + np.array([0.9, 0.0, 0.0])
    points = np.concatenate([scattered_square(count, 0.02), patch]).astype(np.float32)
    total = count + dense
    spacing = np.where(np.arange(total) < count, 0.02, 0.005).astype(np.float32)
    normals, confidence = np.tile(UP, (total, 1)).astype(np.float32), np.linspace(0, 1, total, dtype=np.float32)
    normal_weight = np.ones(total, np.float32) if normal_weight is None else normal_weight
    return SurfacePoints(
        points, normals, confidence, spacing, normal_weight, np.array([-1, -0.8, -0.1]), np.array([1, 0.8, 0.2])
    )


def batch(scan: SurfacePoints, seed: int = 0, dtype: torch.dtype = torch.float32, **values: Any) -> TrainBatch:
    return Sampler(scan, SamplingConfig(**{**COUNTS, **values}), "cpu", dtype, seed).draw()


def test_batches_repeat_with_the_seed_and_only_with_it() -> None:
    one, same, other = (Sampler(surface(), SamplingConfig(**COUNTS), "cpu", torch.float32, s) for s in (7, 7, 8))
    first = one.draw()
    assert all(torch.equal(a, b) for a, b in zip(first, same.draw(), strict=True))
    second = one.draw()
    assert all(torch.equal(a, b) for a, b in zip(second, same.draw(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first[2:], second[2:], strict=True))
    assert not torch.equal(first.near, other.draw().near)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_have_the_counts_and_type_asked_for(dtype: torch.dtype) -> None:
    shapes = [tuple(a.shape) for a in batch(surface(), dtype=dtype)]
    assert shapes == [(300, 3), (300, 3), (300,), (200, 3), (200,), (200,), (200,), (100, 3)]
    assert {a.dtype for a in batch(surface(), dtype=dtype)} == {dtype}


def test_surface_points_are_scan_points_with_their_own_values() -> None:
    scan = surface()
    drawn = batch(scan)
    distance, index = KDTree(scan.points).query(drawn.surface.numpy())
    assert distance.max() == 0
    np.testing.assert_array_equal(drawn.confidence.numpy(), scan.confidence[index])
    np.testing.assert_array_equal(drawn.normals.numpy(), scan.normals[index])
    assert len(np.unique(index)) > 250


def test_near_points_lie_near_and_carry_the_confidence_of_their_surroundings() -> None:
    drawn = batch(surface(), near_points=2000)
    np.testing.assert_allclose(drawn.near_lower.numpy(), drawn.near[:, 2].numpy(), atol=1e-6)
    front = drawn.near[:, 2] > 0
    np.testing.assert_allclose(drawn.near_upper[front].numpy(), drawn.near[front, 2].numpy(), atol=1e-6)
    assert drawn.near[:, 2].std().item() == pytest.approx(0.75 * 0.02, rel=0.1)
    assert drawn.near_confidence.min() >= 0 and drawn.near_confidence.max() <= 1


def test_uniform_points_fill_the_padded_box() -> None:
    scan = surface()
    uniform = batch(scan, uniform_points=20_000).uniform.double().numpy()
    low, high = scan.lower - BOX_PADDING, scan.upper + BOX_PADDING
    assert (uniform >= low - 1e-6).all() and (uniform <= high + 1e-6).all()
    share = (uniform - low) / (high - low)
    np.testing.assert_allclose(
        np.quantile(share, [0.0, 0.25, 0.5, 1.0], axis=0), [[q] * 3 for q in (0, 0.25, 0.5, 1)], atol=0.02
    )


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_the_density_exponent_sets_the_share_of_a_dense_patch(exponent: float) -> None:
    scan = surface(3000, dense=6000)
    weights = 3000 * 0.02**exponent, 6000 * 0.005**exponent
    expected = weights[1] / sum(weights)
    drawn = batch(scan, density_exponent=exponent, surface_points=40_000, near_points=40_000)
    assert (drawn.surface[:, 0] > 0.7).double().mean().item() == pytest.approx(expected, abs=0.012)
    assert (drawn.near[:, 0] > 0.7).double().mean().item() == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("group", ["near", "uniform"])
def test_a_batch_may_lack_points_off_the_surface(group: str) -> None:
    none: dict[str, Any] = {f"{group}_points": 0}
    drawn = batch(surface(), **none)
    assert len(getattr(drawn, group)) == 0 and len(drawn.surface) == 300
    assert getattr(drawn, group).shape == (0, 3)


LOWER, UPPER = torch.tensor([-1.0, -0.5, -0.25]), torch.tensor([1.0, 0.5, 0.25])


@pytest.mark.parametrize(
    ("point", "value"),
    [
        ((0.0, 0.0, 0.0), 0.25),  # to the nearest face
        ((0.9, 0.0, 0.0), 0.1),
        ((0.9, 0.45, 0.2), 0.05),
        ((1.0, 0.0, 0.0), 0.0),
        ((1.3, 0.0, 0.0), -0.3),
        ((-1.3, 0.9, 0.0), -0.5),  # to an edge
        ((1.2, 0.6, -0.45), -0.3),  # to a corner
    ],
)
def test_the_room_starts_as_a_box_of_air(point: tuple[float, ...], value: float) -> None:
    x = torch.tensor([point])
    assert inverted_box_sdf(x, LOWER, UPPER).item() == pytest.approx(value, abs=1e-6)
    assert start_shape("room", LOWER, UPPER)(x).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("point", "value"), [((0, 0, 0), -0.5), ((0, 0.5, 0), 0.0), ((0.6, 0, -0.8), 0.5)])
def test_an_object_starts_as_a_ball_of_solid(point: tuple[float, ...], value: float) -> None:
    x = torch.tensor([point], dtype=torch.float64)
    assert ball_sdf(x).item() == pytest.approx(value)
    assert start_shape("object", LOWER, UPPER)(x).item() == pytest.approx(value)
    assert ball_sdf(x, 0.2).item() == pytest.approx(value + 0.3)


def small_field() -> HashGridSDF:
    spec = FieldSpec(GridSpec(4, 2, 12, 8, 32), hidden_width=32, hidden_layers=1, softplus_beta=100.0)
    return HashGridSDF(spec, TorchBackend(), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scene", ["room", "object"])
def test_a_warm_start_reaches_its_shape(scene: Any) -> None:
    field, target = small_field(), start_shape(scene, LOWER, UPPER)
    x = LOWER + (UPPER - LOWER) * torch.rand(4000, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = (field(x, 4) - target(x)).abs()
        warm_start(field, target, (LOWER, UPPER), 4, 0, torch.Generator().manual_seed(2))
        assert torch.equal((field(x, 4) - target(x)).abs(), before)  # no steps, no change
    warm_start(field, target, (LOWER, UPPER), 4, 150, torch.Generator().manual_seed(2))
    with torch.no_grad():
        after = (field(x, 4) - target(x)).abs()
    assert after.mean() < 0.02 < before.mean()
    assert after.max() < 0.1


def test_a_warm_start_repeats_and_spares_the_locked_levels() -> None:
    fields = small_field(), small_field()
    for field in fields:
        warm_start(field, ball_sdf, (LOWER, UPPER), 2, 3, torch.Generator().manual_seed(2))
    assert torch.equal(fields[0].table, fields[1].table)
    first_locked = fields[0].spec.grid.offsets[2]
    assert torch.equal(fields[0].table[first_locked:], small_field().table[first_locked:])
    assert not torch.equal(fields[0].table[:first_locked], small_field().table[:first_locked])
