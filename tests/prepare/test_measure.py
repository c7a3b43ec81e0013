# SPDX-License-Identifier: MIT
"""What a fit starts from: outliers left out, points that are closer than the noise merged, thin parts kept."""

import numpy as np
import pytest
import torch

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.prepare.local_geometry import measure_local_geometry
from fastsdf.prepare.measure import measure_scan
from fastsdf.prepare.outliers import find_outliers
from fastsdf.spatial.voxel_downsample import merge_close
from tests.helpers.noisy_walls import wall_and_air

WALL_POINTS = 20_000


def test_strays_in_the_air_are_outliers_and_the_wall_is_not() -> None:
    points = wall_and_air(0.003, 0.003, 300)
    found = find_outliers(points, measure_local_geometry(points))
    assert float(found[WALL_POINTS:].double().mean()) > 0.8
    assert float(found[:WALL_POINTS].double().mean()) < 1e-3


def test_points_just_off_a_wall_are_outliers() -> None:
    rng = np.random.default_rng(1)
    wall = wall_and_air(0.003, 0.003, 0)
    off = np.stack([rng.uniform(0, 4, 200), rng.uniform(0, 2, 200), rng.uniform(0.02, 0.05, 200)], 1)
    points = torch.cat([wall, torch.from_numpy(off)])
    found = find_outliers(points, measure_local_geometry(points))
    assert float(found[WALL_POINTS:].double().mean()) > 0.9
    assert float(found[:WALL_POINTS].double().mean()) < 1e-3


def test_a_sparse_wall_is_no_outlier() -> None:
    points = wall_and_air(0.003, 0.003, 0)
    sparse = torch.cat([points, torch.tensor([0.0, 0.0, 3.0]) + points[::100]])
    assert float(find_outliers(sparse, measure_local_geometry(sparse)).double().mean()) < 1e-3


def test_a_rod_with_few_points_is_no_outlier() -> None:
    rng = np.random.default_rng(2)
    angle, height = rng.uniform(0, 2 * np.pi, 150), rng.uniform(0, 1.0, 150)
    rod = np.stack([1 + 0.01 * np.cos(angle), 1 + 0.01 * np.sin(angle), 0.3 + height], 1)
    points = torch.cat([wall_and_air(0.003, 0.003, 0), torch.from_numpy(rod + 0.002 * rng.normal(size=rod.shape))])
    assert float(find_outliers(points, measure_local_geometry(points))[WALL_POINTS:].double().mean()) < 0.05


def test_merged_points_are_the_means_of_their_cubes() -> None:
    points = torch.tensor([[0.0, 0.0, 0.0], [5.0, 5.0, 5.0], [0.2, 0.4, 0.0], [0.9, 0.9, 0.9]], dtype=torch.float64)
    merged, first = merge_close(points, 0.5)
    order = first.argsort()
    assert first[order].tolist() == [0, 1, 3]
    expected = torch.tensor([[0.1, 0.2, 0.0], [5.0, 5.0, 5.0], [0.9, 0.9, 0.9]], dtype=torch.float64)
    assert torch.allclose(merged[order], expected, atol=1e-12)
    same, every = merge_close(points, 0.0)
    assert same is points and every.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("offset", [0.0, 5e5])
def test_below_a_scanner_normals_come_from_more_than_the_noise(offset: float) -> None:
    rng = np.random.default_rng(3)
    pole = np.stack([2 + 0.02 * rng.normal(size=4000), 1 + 0.02 * rng.normal(size=4000), np.zeros(4000)], 1)
    pole[:, 2] = 0.003 * rng.normal(size=4000)
    cloud = np.concatenate([wall_and_air(0.003, 0.003, 0).numpy(), pole]) + offset
    measured = measure_scan(PointCloud(cloud))
    near = np.linalg.norm(measured.kept.points[:, :2] - offset - [2, 1], axis=1) < 0.05
    assert near.sum() > 50
    assert np.median(np.abs(measured.geometry.normals.numpy()[near, 2])) > 0.95
    assert measured.facts["merged_share"] > 0.1
    assert measured.facts["points_fitted"] == len(measured.kept) == len(measured.points)
    assert np.allclose(measured.kept.points, measured.points.numpy())


def test_an_even_scan_keeps_its_points_and_their_attributes() -> None:
    points = wall_and_air(0.0005, 0.0005, 0).numpy()
    sensors = np.tile([2.0, 1.0, 2.0], (len(points), 1)) + np.arange(len(points))[:, None]
    measured = measure_scan(PointCloud(points, sensors=sensors))
    assert measured.facts["merged_share"] < 0.02 and measured.facts["outlier_share"] < 1e-3
    assert measured.kept.sensors is not None
    row = np.rint(measured.kept.sensors[:, 0] - 2.0).astype(int)
    assert np.abs(points[row] - measured.kept.points).max() < 0.002


def test_too_few_points_on_surfaces_are_an_error() -> None:
    rng = np.random.default_rng(4)
    wall = np.column_stack([rng.uniform(0, 0.3, (92, 2)), 0.001 * rng.normal(size=92)])
    strays = np.column_stack([rng.uniform(0, 0.3, (12, 2)), rng.uniform(0.05, 0.15, 12)])
    with pytest.raises(ScanError, match=r"lie on surfaces"):
        measure_scan(PointCloud(np.concatenate([wall, strays])))


def test_a_curved_surface_without_noise_is_kept() -> None:
    rng = np.random.default_rng(5)
    direction = rng.normal(size=(4000, 3))
    ball = np.array([1.0, 1.0, 1.0]) + 0.3 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    points = torch.cat([wall_and_air(0.0, 0.0, 0), torch.from_numpy(ball)])
    assert float(find_outliers(points, measure_local_geometry(points)).double().mean()) < 1e-3
    assert measure_scan(PointCloud(points.numpy())).facts["merged_share"] == 0
