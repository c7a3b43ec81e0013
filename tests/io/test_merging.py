# SPDX-License-Identifier: MIT
"""Merged scans: view indices of different scans stay apart."""

import numpy as np

from fastsdf.geometry import PointCloud
from fastsdf.io.merging import join_clouds


def cloud(views: list[int] | None) -> PointCloud:
    indices = None if views is None else np.array(views, np.int64)
    return PointCloud(np.zeros((3, 3)), views=indices)


def test_views_of_several_scans_do_not_collide() -> None:
    joined = join_clouds([cloud([0, 1, 1]), cloud([0, 0, 2]), cloud([5, 6, 5])], ["a", "b", "c"])
    assert joined.views is not None
    assert joined.views.tolist() == [0, 1, 1, 2, 2, 4, 10, 11, 10]
    assert len(set(joined.views[:3]) & set(joined.views[3:6]) | set(joined.views[3:6]) & set(joined.views[6:])) == 0


def test_negative_indices_stay_apart_too() -> None:
    joined = join_clouds([cloud([-1, 0, 0]), cloud([-1, -1, 3])], ["a", "b"])
    assert joined.views is not None and len(set(joined.views[:3]) & set(joined.views[3:])) == 0


def test_each_file_is_a_view_if_nothing_else_tells() -> None:
    joined = join_clouds([cloud(None), cloud(None)], ["a", "b"])
    assert joined.views is not None and joined.views.tolist() == [0, 0, 0, 1, 1, 1]


def test_views_are_left_out_if_a_scan_has_none() -> None:
    joined = join_clouds([cloud([0, 1, 1]), cloud(None)], ["a", "b"])
    assert joined.views is None and "views left out: b has none" in joined.notes
