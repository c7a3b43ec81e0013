# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest
import torch

from fastsdf.config.loading import load_config
from fastsdf.geometry import PointCloud
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.prepare.registration.refine import refine_views
from tests.helpers.drifted_views import box_points, drifted, scanned_room, view_errors

VIEW = np.repeat(np.arange(3), 6000)


@pytest.fixture(scope="module")
def clean() -> PointCloud:
    return scanned_room()


@pytest.fixture(scope="module")
def bad(clean: PointCloud) -> PointCloud:
    return drifted(clean, VIEW, 0.005, 0.06)


@pytest.mark.parametrize("offset", [0.0, 5.6e6], ids=["near the origin", "large coordinates"])
def test_views_that_drifted_agree_again(clean: PointCloud, bad: PointCloud, offset: float) -> None:
    far = replace(bad, points=bad.points + offset, sensors=bad.sensors + offset)
    refined = refine_views(far)
    back = replace(refined.cloud, points=refined.cloud.points - offset)
    assert view_errors(bad, clean, VIEW).max() > 0.004
    assert view_errors(back, clean, VIEW).max() < 0.0005
    assert refined.facts["view_residual_refined_m"] < 0.75 * refined.facts["view_residual_m"]
    assert abs((back.points - bad.points).mean(0)).max() < 1e-4, "the scan as a whole stays in place"


def test_a_single_station_that_is_off_is_found() -> None:
    """The others agree, so that neither the median motion nor the median offset says anything."""
    wide = scanned_room(views=6, points=3000)
    view = np.repeat(np.arange(6), 3000)
    off = replace(wide, points=wide.points + 0.015 * (view == 4)[:, None])
    refined = refine_views(off)
    assert view_errors(off, wide, view).max() > 0.015
    assert view_errors(refined.cloud, wide, view).max() < 0.001


def test_attributes_move_with_their_view(bad: PointCloud) -> None:
    normals = np.tile([0.0, 0.0, 1.0], (len(bad), 1))
    refined = refine_views(replace(bad, normals=normals))
    assert refined.motions is not None and list(refined.motions) == [0, 1, 2]
    for view, matrix in refined.motions.items():
        rows = view == VIEW
        np.testing.assert_allclose(
            refined.cloud.points[rows], bad.points[rows] @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-9
        )
        np.testing.assert_allclose(
            refined.cloud.sensors[rows], bad.sensors[rows] @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-9
        )
        np.testing.assert_allclose(refined.cloud.normals[rows], normals[rows] @ matrix[:3, :3].T, atol=1e-12)
        np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)


def test_views_that_agree_stay(clean: PointCloud) -> None:
    refined = refine_views(clean)
    assert refined.cloud is clean and refined.motions is None
    assert refined.facts["views"] == 3 and "views_moved_max_m" not in refined.facts


def test_views_of_a_file_without_sensors_are_found_by_index(clean: PointCloud, bad: PointCloud) -> None:
    indexed = PointCloud(bad.points, views=10 * VIEW)
    refined = refine_views(indexed)
    assert refined.motions is not None and list(refined.motions) == [0, 10, 20]
    assert refined.facts["views_from"] == "view indices"
    assert view_errors(refined.cloud, clean, VIEW).max() < 0.0005


def test_a_direction_that_nothing_determines_is_kept() -> None:
    """Two sweeps of one wall say nothing about how far either should slide along it."""
    rng = np.random.default_rng(0)
    x = np.c_[3 * rng.random((12000, 2)), 0.001 * rng.standard_normal(12000)]
    view = np.repeat([0, 1], 6000)
    x[view == 1] += (0.0, 0.0, 0.01)
    refined = refine_views(PointCloud(x, views=view))
    moved = refined.cloud.points - x
    assert abs(refined.cloud.points[view == 0, 2].mean() - refined.cloud.points[view == 1, 2].mean()) < 3e-4
    assert abs(moved[:, :2]).max() < 1e-3, "less than the noise"


def test_views_that_do_not_overlap_stay() -> None:
    rng = np.random.default_rng(0)
    x = box_points(rng, 6000, np.zeros(3), np.ones(3))
    cloud = PointCloud(np.concatenate([x, x + 10.0]), views=np.repeat([0, 1], 6000))
    refined = refine_views(cloud)
    assert refined.cloud is cloud and refined.motions is None
    assert set(refined.facts) == {"views", "views_from"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: replace(c, sensors=None), id="nothing known"),
        pytest.param(lambda c: replace(c, sensors=c.points + 1.0), id="a moving scanner"),
        pytest.param(lambda c: replace(c, sensors=np.zeros_like(c.points)), id="one station"),
    ],
)
def test_scans_of_one_view_are_unchanged(bad: PointCloud, change) -> None:
    cloud = change(bad)
    refined = refine_views(cloud)
    assert refined.cloud is cloud and refined.facts == {}


def test_the_setting_turns_it_off(bad: PointCloud) -> None:
    on, off = (prepare_scan(bad, load_config(prepare__refine_poses=value, device="cpu")) for value in ("auto", "off"))
    assert off.view_motions is None and "views" not in off.facts
    assert on.view_motions is not None and on.facts["views"] == 3
    assert on.noise_m < 0.8 * off.noise_m


def test_equal_seeds_give_equal_poses(bad: PointCloud) -> None:
    one, other = refine_views(bad, seed=3), refine_views(bad, seed=3)
    np.testing.assert_array_equal(one.cloud.points, other.cloud.points)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_finds_the_same_poses(clean: PointCloud, bad: PointCloud) -> None:
    refined = refine_views(bad, "cuda")
    assert view_errors(refined.cloud, clean, VIEW).max() < 0.0005
