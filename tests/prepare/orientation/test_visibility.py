# SPDX-License-Identifier: MIT
"""Viewpoints in the air find the air side of points: by hand, and on partial views that free paths leave in doubt."""

import numpy as np
import pytest
import torch

from fastsdf.geometry import PointCloud
from fastsdf.prepare.local_geometry import measure_local_geometry
from fastsdf.prepare.orientation import visibility
from fastsdf.prepare.orientation.propagate import orient, orient_by_viewpoints
from fastsdf.prepare.orientation.select import orient_scan
from fastsdf.spatial.occupancy import occupancy
from tests.helpers.noisy_rooms import NOISE, corner, partial_view, shell_with

WALL = (np.array([3.5, 0.0, 0.0]), np.array([3.6, 5.0, 3.0]))


def test_a_partial_view_is_turned_into_the_air() -> None:
    points, air = partial_view()
    geometry = measure_local_geometry(torch.from_numpy(points))
    signs = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], (len(points), 1)))
    found, count = orient_by_viewpoints(geometry.index, signs * geometry.normals, geometry.spacing, "room")
    right = ((found.sign[:, None] * signs * geometry.normals).numpy() * air).sum(1) > 0
    assert right.mean() > 0.97 and count >= 1 and found.doubtful_share < 0.1
    assert right[found.confidence.numpy() > 0.5].mean() > 0.985
    assert orient(geometry.index, geometry.normals, geometry.spacing, NOISE).doubtful_share > 0.25


def test_viewpoints_are_used_where_paths_leave_many_points_in_doubt() -> None:
    points, air = partial_view()
    at = torch.from_numpy(points)
    found = orient_scan(PointCloud(points), at, measure_local_geometry(at), "auto", "room")
    assert found.facts["inside_outside_evidence"] == "viewpoints" and found.facts["viewpoints"] >= 1
    assert found.facts["unseen_share"] < found.facts["doubtful_share"]
    assert ((found.normals.numpy() * air).sum(1) > 0).mean() > 0.97


def test_a_bare_corner_could_be_seen_from_either_side() -> None:
    points = torch.from_numpy(corner())
    geometry = measure_local_geometry(points)
    found, count = orient_by_viewpoints(geometry.index, geometry.normals, geometry.spacing, "room")
    assert count == 0 and found.doubtful_share == 1.0 and (found.confidence == 0).all()


def test_only_visible_points_have_a_side() -> None:
    points, air = shell_with((WALL,), 60_000)
    grid = occupancy(torch.from_numpy(points), 0.1)
    rng = np.random.default_rng(4)
    normals = air * rng.choice([-1.0, 1.0], (len(points), 1))
    viewpoints = np.array([[1.7, 2.5, 1.5], [5.0, 2.5, 1.5], [60.0, 2.5, 1.5]])
    seen = visibility.sides(grid, *map(torch.from_numpy, (points, normals, viewpoints))).numpy()
    before, behind = points[:, 0] < 3.45, points[:, 0] > 3.65
    inner = ((points > 0.5) | (points < 0.1)).all(1)
    facing = np.sign((normals * air).sum(1))
    for viewpoint, visible, hidden in ((0, before, behind), (1, behind, before)):
        assert (seen[visible & inner, viewpoint] == facing[visible & inner]).mean() > 0.9
        assert (seen[visible, viewpoint] * facing[visible]).min() >= 0 and (seen[hidden, viewpoint] != 0).mean() < 0.03
    end = (points[:, 0] > 5.95) & (air[:, 0] == -1)
    assert end.sum() > 500 and (seen[end, 2] == -facing[end]).mean() > 0.95


def test_rivalry_is_the_share_seen_from_the_other_side() -> None:
    first, agreeing, against = torch.ones(10), torch.ones(10), -torch.ones(10)
    agreeing[6:], against[4:] = 0, 0
    assert visibility.rivalry(torch.stack([first, agreeing, against], 1)) == pytest.approx(0.4)
    assert visibility.rivalry(torch.stack([first, agreeing], 1)) == 0.0


def test_the_same_seed_gives_the_same_sides() -> None:
    points, air = partial_view(8000)
    grid = occupancy(torch.from_numpy(points), 0.1)
    one, other = (visibility.visible_sides(grid, torch.from_numpy(points), torch.from_numpy(air)) for _ in range(2))
    assert torch.equal(one[0], other[0]) and one[1] == other[1]
    assert one[0].min() >= -1 and one[0].max() <= 1


def torus_scan(count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Noisy points of a torus, and its outward normals."""
    rng = np.random.default_rng(7)
    around, tube = rng.uniform(0, 2 * np.pi, (2, count))
    out = np.stack([np.cos(around), np.sin(around), 0 * around], 1)
    normals = np.cos(tube)[:, None] * out + np.sin(tube)[:, None] * [0.0, 0.0, 1.0]
    return 0.5 * out + 0.15 * normals + 0.002 * rng.standard_normal((count, 3)), normals


def test_an_object_is_seen_from_around_it() -> None:
    points, air = torus_scan()
    geometry = measure_local_geometry(torch.from_numpy(points))
    signs = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], (len(points), 1)))
    found, _ = orient_by_viewpoints(geometry.index, signs * geometry.normals, geometry.spacing, "object")
    right = ((found.sign[:, None] * signs * geometry.normals).numpy() * air).sum(1) > 0
    assert right.mean() > 0.998 and found.doubtful_share < 0.1


def test_a_sheet_that_is_seen_from_both_sides_gives_no_evidence() -> None:
    points = torch.from_numpy(np.random.default_rng(1).uniform(0, 1, (8000, 3)) * [1.0, 1.0, 0.002])
    found = orient_scan(PointCloud(points.numpy()), points, measure_local_geometry(points), "auto", "object")
    assert (
        found.facts["inside_outside_evidence"].startswith("none (too much of the object")
        and (found.confidence == 0).all()
    )
