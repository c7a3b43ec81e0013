# SPDX-License-Identifier: MIT
"""Tells which view (station, sweep or frame) measured each point, and thins the points of every view evenly."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.geometry import PointCloud
from fastsdf.spatial.voxel_downsample import even_subset

MIN_VIEW_POINTS = 200  # points; chosen: a view with fewer has hardly ten points on each of its planes, so it stays
MAX_GROUPS = 500  # groups of views that move as one; bounds the normal equations to 3000 unknowns. Chosen
MAX_CELLS = 4096  # cubes along the longest side when thinning starts. Chosen: finer than any scan is after thinning
COARSENING = 1.25  # factor of the cubes' edge until few enough points are left; chosen


class ViewPoints(NamedTuple):
    """Points of a scan by the view that measured them.

    Attributes:
        group: (n,) int64 group of views of each point, from 0; -1 where its view is too small to be moved.
        group_of_view: (v,) int64 group of each view, -1 for views that stay.
        names: (v,) the view indices of the file, or 0, 1, ... for distinct sensor positions.
        source: where the views come from, for the report.
    """

    group: np.ndarray
    group_of_view: np.ndarray
    names: np.ndarray
    source: str

    @property
    def groups(self) -> int:
        """Number of groups of views."""
        return int(self.group_of_view.max(initial=-1)) + 1


def find_views(cloud: PointCloud) -> ViewPoints | None:
    """The views of a scan: its view indices, or else its distinct sensor positions.

    Views with fewer than 200 points are not moved. If more than 500 views remain, consecutive ones are moved together
    in groups of equal size.

    Returns:
        None if fewer than two views have enough points, for example because a moving scanner has a sensor position
        of its own for every point.
    """
    if cloud.views is not None:
        names, view = np.unique(cloud.views, return_inverse=True)
        source = "view indices"
    elif cloud.sensors is not None:
        # Sort one number per position instead of rows, which is ten times faster; equal rows give equal numbers.
        _, first, view = np.unique(cloud.sensors @ np.sqrt([2.0, 3.0, 5.0]), return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        view, names, source = rank[view], np.arange(len(first)), "sensor positions"
    else:
        return None
    large = np.bincount(view, minlength=len(names)) >= MIN_VIEW_POINTS
    if large.sum() < 2:
        return None
    movable = np.cumsum(large) - 1
    groups = min(int(large.sum()), MAX_GROUPS)
    group_of_view = np.where(large, movable * groups // int(large.sum()), -1)
    return ViewPoints(group_of_view[view], group_of_view, names, source)


def thin_views(points: Tensor, group: Tensor, max_points: int) -> Tensor:
    """Chooses points such that every group keeps one point per cube of a grid that is the same for all groups.

    Where views overlap they then count alike, however close one of the scanners stood.

    Args:
        points: (n, 3) float64 points of the groups.
        group: (n,) int64 group of each point, 0 or more.
        max_points: largest number of points to choose.

    Returns:
        (m,) int64 indices.
    """
    if len(points) <= max_points:
        return torch.arange(len(points), device=points.device)
    low, size = points.amin(0), points.amax(0) - points.amin(0)
    edge = float(size.max()) / MAX_CELLS
    while True:
        apart = torch.zeros_like(points)  # each group in a box of its own, a whole number of cubes beside the others
        apart[:, 0] = group * (torch.ceil(size[0] / edge) + 1) * edge
        chosen = even_subset(points - low + apart, edge)
        if len(chosen) <= max_points:
            return chosen
        edge *= max(COARSENING, (len(chosen) / max_points) ** 0.5)
