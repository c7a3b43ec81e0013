# SPDX-License-Identifier: MIT
"""Which side is air: free paths in a synthetic room, their parts by hand, and the choice among the evidence."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud
from fastsdf.prepare.local_geometry import LocalGeometry, measure_local_geometry
from fastsdf.prepare.orientation import free_paths
from fastsdf.prepare.orientation.propagate import orient
from fastsdf.prepare.orientation.select import Evidence, orient_scan
from fastsdf.spatial.knn import point_index
from fastsdf.spatial.occupancy import Occupancy, occupancy
from fastsdf.spatial.ray_march import march
from fastsdf.spatial.voxel_downsample import even_subset
from tests.helpers.noisy_rooms import SIZE, corner, shell_with

SOLIDS = (
    (np.array([1.0, 1.0, 0.4]), np.array([2.4, 2.0, 0.75])),  # a closed table top
    (np.array([3.5, 0.0, 0.0]), np.array([3.6, 3.0, 3.0])),  # an inner wall of 10 cm
)


@cache
def empty_room() -> tuple[np.ndarray, np.ndarray, LocalGeometry]:
    """A coarse scan of the bare room, for the tests of the choices around `orient`."""
    points, air = shell_with((), 4000)
    return points, air, measure_local_geometry(torch.from_numpy(points))


def test_random_signs_turn_into_the_air() -> None:
    points, air = shell_with(SOLIDS, 40_000)
    geometry = measure_local_geometry(torch.from_numpy(points))
    found = orient(point_index(torch.from_numpy(points)), geometry.normals, geometry.spacing)
    right = ((found.sign[:, None] * geometry.normals).numpy() * air).sum(1) > 0
    assert set(np.unique(found.sign)) == {-1.0, 1.0}
    assert 0.3 < (found.sign.numpy() > 0).mean() < 0.7  # the signs of the input are random
    assert right.mean() > 0.97
    for low, high in SOLIDS:
        solid = ((points > low - 0.02) & (points < high + 0.02)).all(1)
        assert solid.sum() > 1000 and right[solid].mean() > 0.8
    assert found.doubtful_share < 0.1
    assert found.confidence.min() >= 0 and found.confidence.max() <= 1
    assert found.confidence[right].mean() > 0.5 > found.confidence[~right].mean()


def test_the_sign_of_the_input_does_not_matter() -> None:
    points, _, geometry = empty_room()
    points = torch.from_numpy(points)
    flipped = torch.from_numpy(np.random.default_rng(2).choice([-1.0, 1.0], (len(points), 1))) * geometry.normals
    index = point_index(points)
    one, other = orient(index, geometry.normals, geometry.spacing), orient(index, flipped, geometry.spacing)
    np.testing.assert_array_equal(one.sign[:, None] * geometry.normals, other.sign[:, None] * flipped)
    np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-9)


def wall_at_eight() -> Tensor:
    """Clearance of a grid of 12 x 5 x 5 voxels that is occupied where x is 8."""
    free = np.ones((12, 5, 5), bool)
    free[8] = False
    return torch.from_numpy(np.asarray(ndimage.distance_transform_cdt(free, "chessboard"), np.uint8))


@pytest.mark.parametrize(
    ("start", "direction", "limit", "length"),
    [
        ((2.5, 2.5, 2.5), (1.0, 0.0, 0.0), 400.0, 5.7),  # clearance 6: to 7.5, then 0.7 into the wall
        ((11.5, 2.5, 2.5), (-1.0, 0.0, 0.0), 400.0, 2.7),  # clearance 3: to 9.5, then 0.7 into the wall
        ((8.5, 2.5, 2.5), (1.0, 0.0, 0.0), 400.0, 0.0),  # starts in the wall
        ((2.5, 2.5, 2.5), (1.0, 0.0, 0.0), 4.0, 4.0),  # the limit comes first
        ((2.5, 2.5, 2.5), (-1.0, 0.0, 0.0), 400.0, 0.0),  # leaves the grid
        ((2.5, 2.5, 2.5), (0.0, 0.0, -1.0), 400.0, 0.0),
        ((-0.5, 2.5, 2.5), (1.0, 0.0, 0.0), 400.0, 0.0),  # starts outside
        ((2.5, 1.0, 2.5), (0.8, 0.6, 0.0), 400.0, 0.0),  # 5 to (6.5, 4), 1 to (7.3, 4.6), 0.7 beyond y = 5
        ((4.5, 0.5, 2.5), (0.8, 0.6, 0.0), 400.0, 4.7),  # 3 to x = 6.9, 1 to 7.7, 0.7 into the wall
    ],
)
def test_marched_lengths(start: tuple[float, ...], direction: tuple[float, ...], limit: float, length: float) -> None:
    found = march(wall_at_eight(), torch.tensor([start]), torch.tensor([direction]), limit)
    assert found.tolist() == pytest.approx([length], abs=1e-5)


def test_a_mixed_batch_of_rays_keeps_its_order() -> None:
    origins = torch.tensor([[2.5, 2.5, 2.5], [2.5, 2.5, 2.5], [11.5, 2.5, 2.5], [8.5, 0.5, 0.5]])
    directions = torch.tensor([[-1.0, 0, 0], [1.0, 0, 0], [-1.0, 0, 0], [1.0, 0, 0]])
    assert march(wall_at_eight(), origins, directions, 400.0).tolist() == pytest.approx([0, 5.7, 2.7, 0], abs=1e-5)


def test_cones_hold_unit_vectors_around_their_axis() -> None:
    axes = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    axes = torch.cat([torch.nn.functional.normalize(axes, dim=1), torch.eye(3), -torch.eye(3)])
    rays = free_paths._around(axes, free_paths.fibonacci_directions(free_paths.RAYS, free_paths.CONE, axes.device))
    assert rays.shape == (506, free_paths.RAYS, 3)
    torch.testing.assert_close(rays.norm(dim=2), torch.ones(rays.shape[:2]), rtol=0, atol=1e-5)
    cosine = (rays * axes[:, None]).sum(2)
    assert cosine.min() >= math.cos(free_paths.CONE) - 1e-5
    assert cosine.min(dim=1).values.max() < math.cos(0.9 * free_paths.CONE)  # the cone is used to its rim
    assert ((rays.mean(1) - (rays.mean(1) * axes).sum(1, keepdim=True) * axes).norm(dim=1) < 0.1).all()  # no side


def clearance_at(grid: Occupancy, point: np.ndarray) -> int:
    return int(grid.clearance[tuple(np.floor((point - grid.origin.numpy()) / grid.cell).astype(int))])


def test_occupancy_drops_isolated_points() -> None:
    plane = np.stack(np.meshgrid(np.arange(0.05, 4, 0.1), np.arange(0.05, 4, 0.1), [0.05]), -1).reshape(-1, 3)
    plane[0] = 0.0  # the corner of the voxels
    alone, three = np.array([2.05, 2.05, 0.55]), np.array([1.05, 1.05, 0.55]) + 0.01 * np.eye(3)
    grid = occupancy(torch.from_numpy(np.concatenate([plane, alone[None], three])), 0.1)
    assert clearance_at(grid, plane[0]) == clearance_at(grid, plane[-1]) == clearance_at(grid, three[0]) == 0
    assert clearance_at(grid, alone) == 5  # voxels to the plane
    assert clearance_at(grid, np.array([0.05, 3.05, 0.85])) == 8
    assert min(grid.clearance.shape) >= 20  # ten voxels of margin on either side


def test_thinning_leaves_one_point_per_cube() -> None:
    points = np.array([4e5, 5e6, 100.0]) + np.random.default_rng(3).uniform(-1, 1, (5000, 3))
    chosen = even_subset(torch.from_numpy(points), 0.25).numpy()
    cubes = np.floor((points - points.min(0)) / 0.25).astype(int)
    assert len(np.unique(cubes[chosen], axis=0)) == len(chosen) == len(np.unique(cubes, axis=0))


def evidence(
    source: str, scene: str = "room", without: tuple[str, ...] = (), turn: np.ndarray | float = 1.0
) -> Evidence:
    """Evidence from the bare room, as a scan with sensors and normals (times ``turn``), or without these."""
    points, air, geometry = empty_room()
    full = PointCloud(points, normals=turn * air, sensors=np.tile(SIZE / 2, (len(points), 1)))
    return orient_scan(replace(full, **dict.fromkeys(without)), torch.from_numpy(points), geometry, source, scene)


def test_sensors_see_the_front() -> None:
    found = evidence("sensors")
    points = empty_room()[0]
    view = SIZE / 2 - points
    cosine = (view * found.normals.numpy()).sum(1) / np.linalg.norm(view, axis=1)
    assert cosine.min() >= 0
    np.testing.assert_allclose(found.confidence, np.minimum(cosine / 0.1, 1.0), atol=1e-9)
    assert found.facts["inside_outside_evidence"] == "sensor positions"


def test_normals_of_the_file_are_believed() -> None:
    found = evidence("normals", turn=-1.0)
    np.testing.assert_array_equal(found.normals, -empty_room()[1])
    assert (found.confidence == 1).all() and found.facts["inside_outside_evidence"] == "normals of the file"


def test_no_evidence_leaves_the_signs_open() -> None:
    found = evidence("none")
    np.testing.assert_array_equal(found.normals, empty_room()[2].normals)
    assert (found.confidence == 0).all() and found.facts["inside_outside_evidence"] == "none"


@pytest.mark.parametrize(
    ("without", "scene", "source"),
    [
        ((), "room", "sensor positions"),
        (("sensors",), "room", "normals of the file"),
        (("sensors",), "object", "normals of the file, turned into the air"),  # of the room they point inside
        (("sensors", "normals"), "room", "free paths"),
        (("sensors", "normals"), "object", "air around the object"),
    ],
)
def test_the_best_evidence_comes_first(without: tuple[str, ...], scene: str, source: str) -> None:
    found = evidence("auto", scene, without)
    assert found.facts["inside_outside_evidence"] == source


def test_normals_out_of_the_air_are_turned() -> None:
    found = evidence("auto", without=("sensors",), turn=-1.0)
    np.testing.assert_array_equal(found.normals, empty_room()[1])
    assert found.facts["inside_outside_evidence"] == "normals of the file, turned into the air"
    assert found.facts["normals_agree"] < 0.05 and (found.confidence == 1).all()


def test_normals_of_arbitrary_sign_are_turned_one_by_one() -> None:
    air = empty_room()[1]
    random = np.random.default_rng(2).choice([-1.0, 1.0], (len(air), 1))
    found = evidence("auto", without=("sensors",), turn=random)
    assert found.facts["inside_outside_evidence"] == "free paths (normals of the file point both ways)"
    assert ((found.normals.numpy() * air).sum(1) > 0).mean() > 0.97
    assert 0.4 < found.facts["normals_agree"] < 0.6 and 0.4 < found.facts["neighbouring_normals_agree"] < 0.6


def test_free_paths_carry_their_confidence() -> None:
    found = evidence("paths")
    right = (found.normals.numpy() * empty_room()[1]).sum(1) > 0
    assert right.mean() > 0.97
    assert np.median(found.confidence) > 0.3
    assert found.facts["doubtful_share"] < 0.1


@pytest.mark.parametrize("source", ["sensors", "normals"])
def test_missing_evidence_that_is_named_is_an_error(source: str) -> None:
    message = rf"prepare\.orientation is '{source}', but the scan has no {source}; use prepare\.orientation=auto"
    with pytest.raises(InputError, match=message):
        evidence(source, without=(source,))


def test_a_partial_view_is_in_doubt() -> None:
    points = torch.from_numpy(corner())
    geometry = measure_local_geometry(points)
    found = orient_scan(PointCloud(corner()), points, geometry, "auto", "room")
    assert found.facts["doubtful_share"] > 0.25
    assert found.facts["inside_outside_evidence"].startswith("none (free paths and viewpoints")
    assert (found.confidence == 0).all()
    np.testing.assert_array_equal(found.normals, geometry.normals)
