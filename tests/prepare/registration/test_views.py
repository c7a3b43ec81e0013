# SPDX-License-Identifier: MIT
import numpy as np
import pytest
import torch

from fastsdf.geometry import PointCloud
from fastsdf.prepare.registration import views as module
from fastsdf.prepare.registration.views import find_views, thin_views

POINTS = np.random.default_rng(0).random((1200, 3))


def test_view_indices_win_over_sensor_positions() -> None:
    cloud = PointCloud(POINTS, sensors=np.zeros((1200, 3)), views=np.repeat([7, 3, 9], 400))
    found = find_views(cloud)
    assert found is not None and found.source == "view indices"
    assert found.names.tolist() == [3, 7, 9]
    assert found.group[[0, 500, 1100]].tolist() == [1, 0, 2]


def test_sensor_positions_are_numbered_in_file_order() -> None:
    stations = np.array([[5.0, 0, 0], [1.0, 0, 0], [3.0, 0, 0]])
    found = find_views(PointCloud(POINTS, sensors=np.repeat(stations, 400, axis=0)))
    assert found is not None and found.names.tolist() == [0, 1, 2]
    assert found.group[[0, 500, 1100]].tolist() == [0, 1, 2]


def test_small_views_stay() -> None:
    found = find_views(PointCloud(POINTS, views=np.repeat([0, 1, 2], [600, 100, 500])))
    assert found is not None and found.groups == 2
    assert found.group_of_view.tolist() == [0, -1, 1]
    assert found.group[650] == -1
    assert find_views(PointCloud(POINTS, views=np.repeat([0, 1], [1100, 100]))) is None


def test_many_views_move_in_groups_of_consecutive_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    monkeypatch.setattr(module, "MIN_VIEW_POINTS", 100)
    found = find_views(PointCloud(POINTS, views=np.repeat(np.arange(6), 200)))
    assert found is not None and found.group_of_view.tolist() == [0, 0, 0, 1, 1, 1]


def test_thinning_makes_overlapping_views_equally_dense() -> None:
    rng = np.random.default_rng(1)
    points = torch.as_tensor(np.concatenate([rng.random((20_000, 3)), rng.random((2_000, 3))]) * [1.0, 1.0, 0.0])
    group = torch.arange(2).repeat_interleave(torch.tensor([20_000, 2_000]))
    kept = thin_views(points, group, 1000)
    first, second = group[kept].bincount().tolist()
    assert 300 < second <= first < 700
    assert thin_views(points, group, 30_000).tolist() == list(range(22_000))
