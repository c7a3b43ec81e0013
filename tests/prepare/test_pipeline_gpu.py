# SPDX-License-Identifier: MIT
"""On a CUDA device: neighbours, eigenvectors, voxels, rays and a prepared room against those of the CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from fastsdf.config.loading import load_config
from fastsdf.meshing.discs import make_discs
from fastsdf.meshing.measured_part import confidence_and_colors
from fastsdf.numerics.eigen3x3 import smallest_eigenpair
from fastsdf.numerics.quantiles import median, nearest_quantiles, quantiles
from fastsdf.prepare.normalize import fit_transform
from fastsdf.prepare.orientation.visibility import visible_sides
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.prepare.prepared_scan import SurfacePoints
from fastsdf.spatial.knn import TreeIndex, point_index
from fastsdf.spatial.occupancy import occupancy
from fastsdf.spatial.ray_march import march
from fastsdf.spatial.triton.distance_transform import chessboard_distance
from fastsdf.spatial.voxel_downsample import even_subset
from fastsdf.training.sampling import Sampler
from tests.helpers.cli_runs import box_room
from tests.helpers.kernel_cases import check_neighbours, clearance_of, neighbour_cases, occupied_voxels, rays
from tests.helpers.noisy_rooms import partial_view
from tests.helpers.noisy_sphere import query_points, sdf, sphere_support

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("name", neighbour_cases())
def test_neighbours_are_those_of_brute_force(name: str) -> None:
    points, queries, count = neighbour_cases()[name]
    index = point_index(torch.from_numpy(points).cuda())
    assert not isinstance(index, TreeIndex)
    check_neighbours(points, queries, count, *(t.cpu() for t in index.query(torch.from_numpy(queries).cuda(), count)))


@pytest.mark.parametrize("count", [1, 8, 17, 24])
def test_neighbours_in_a_large_uneven_cloud_are_those_of_the_tree(count: int) -> None:
    rng = np.random.default_rng(0)
    room = box_room(200_000).points
    points = np.concatenate([room, 0.01 * rng.normal(size=(50_000, 3)) + 1.0, 100 * rng.normal(size=(20, 3))])
    queries = np.concatenate([points[::9], rng.uniform(-2, 6, (5001, 3))])
    index = point_index(torch.from_numpy(points).cuda())
    distance, nearest = (t.cpu().numpy() for t in index.query(torch.from_numpy(queries).cuda(), count))
    expected = KDTree(points).query(queries, [*range(1, count + 1)])[0]
    np.testing.assert_allclose(distance, expected, rtol=1e-6, atol=4e-6)
    true = np.linalg.norm(queries[:, None] - points[nearest], axis=2)
    np.testing.assert_allclose(true, expected, rtol=1e-6, atol=4e-6)


def test_eigenpairs_are_those_of_lapack() -> None:
    around = np.random.default_rng(1).normal(size=(50_000, 17, 3)) * (1, 1, 1e-2)
    matrices = around.transpose(0, 2, 1) @ around
    values, vectors = (t.cpu().numpy() for t in smallest_eigenpair(torch.from_numpy(matrices).cuda()))
    expected, axes = np.linalg.eigh(matrices)
    np.testing.assert_allclose(values, expected[:, 0], rtol=1e-9)
    np.testing.assert_allclose(np.abs((axes[:, :, 0] * vectors).sum(1)), 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", occupied_voxels())
def test_chessboard_distances_are_those_of_scipy(name: str) -> None:
    occupied = occupied_voxels()[name]
    np.testing.assert_array_equal(chessboard_distance(occupied.cuda()).cpu().numpy(), clearance_of(occupied))


def test_marched_rays_are_those_of_the_cpu() -> None:
    found = march(*(t.cuda() for t in rays()), 15.0).cpu()
    assert (found - march(*rays(), 15.0)).abs().max() <= 1e-4


def test_quantiles_boxes_voxels_and_even_subsets_are_those_of_the_cpu() -> None:
    points = torch.from_numpy(box_room(20_001).points)
    there, shares = points.cuda(), (0.01, 0.5, 0.999)
    np.testing.assert_allclose(quantiles(there, shares), quantiles(points, shares), rtol=1e-14)
    np.testing.assert_array_equal(nearest_quantiles(there, shares), nearest_quantiles(points, shares))
    assert median(there[:, 0]) == pytest.approx(median(points[:, 0]), rel=1e-14)
    assert fit_transform(there) == fit_transform(points)
    assert torch.equal(even_subset(there, 0.1).cpu(), even_subset(points, 0.1))
    assert torch.equal(occupancy(there, 0.05).clearance.cpu(), occupancy(points, 0.05).clearance)


@pytest.mark.parametrize("source", ["sensors", "paths"])
def test_a_room_is_prepared_as_on_the_cpu(source: str) -> None:
    cloud = box_room(20_000)
    one, other = (
        prepare_scan(cloud, load_config(None, (), [f"prepare.orientation={source}"], device=device))
        for device in ("cpu", "cuda")
    )
    assert one.transform == other.transform
    for name in ("spacing_m", "noise_m", "area_m2"):
        assert other.facts[name] == pytest.approx(one.facts[name], rel=1e-4)
    assert np.mean((one.surface.normals * other.surface.normals).sum(1) > 0.99) > 0.999
    assert np.abs(one.surface.points - other.surface.points).max() < 1e-3
    assert np.median(np.abs(one.surface.points - other.surface.points)) < 1e-6
    np.testing.assert_allclose(other.surface.spacing, one.surface.spacing, rtol=1e-3)
    assert np.quantile(np.abs(one.surface.confidence - other.surface.confidence), 0.99) < 1e-3


def test_the_pool_lies_where_that_of_the_cpu_lies() -> None:
    config = load_config(None, (), ["sampling.surface_points=8", "sampling.uniform_points=8", "sampling.near_points=8"])
    points = box_room(5000).points
    cloud = fit_transform(points).to_unit(points).astype(np.float32)
    flat = np.tile(np.float32([0, 0, 1]), (len(cloud), 1))
    same = np.ones(len(cloud), np.float32)
    scan = SurfacePoints(cloud, flat, same, 0.02 * same, same, -np.ones(3), np.ones(3))
    pools = [Sampler(scan, config.sampling, device, torch.float32, 0)._pool for device in ("cpu", "cuda")]
    for one, other in zip(*(pool.split((3, 1, 1, 1), dim=1) for pool in pools), strict=True):
        assert one.shape == other.shape
        assert other.mean().item() == pytest.approx(one.mean().item(), abs=2e-3)
        assert other.std().item() == pytest.approx(one.std().item(), rel=0.01, abs=1e-6)


def test_confidence_and_colours_are_those_of_the_cpu() -> None:
    support, (at, normals) = sphere_support(count=40_000), query_points(70_001)
    colors = np.random.default_rng(2).integers(0, 256, (len(support.points), 3), dtype=np.uint8)
    found = []
    for device in ("cpu", "cuda"):
        discs = make_discs(replace(support, colors=colors), 1.5, 3.0, device)
        confidence, painted = confidence_and_colors(at.to(device), normals.to(device), discs, sdf)
        assert painted is not None
        found.append((confidence.cpu().numpy(), painted.cpu().numpy()))
    apart = np.abs(found[1][0] - found[0][0])
    assert np.mean(apart > 1e-3) < 1e-3  # where two points are equally far, either may be the eighth
    assert np.mean((found[1][1] != found[0][1]).any(1)) < 1e-3


def test_visible_sides_are_those_of_the_cpu() -> None:
    points, air = partial_view()
    at, normals = torch.from_numpy(points), torch.from_numpy(air)
    seen, count = visible_sides(occupancy(at, 0.06), at, normals)
    on_gpu, count_on_gpu = visible_sides(occupancy(at.cuda(), 0.06), at.cuda(), normals.cuda())
    assert count == count_on_gpu
    assert ((on_gpu.cpu() - seen).abs() > 1e-6).double().mean() < 1e-3
