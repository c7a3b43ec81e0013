# SPDX-License-Identifier: MIT
"""Refines the poses of the views of a scan before anything else is measured.

Views that disagree by a few millimetres make two surfaces where there is one, which no later stage can tell from shape.
Each view (station, sweep or frame) gets a small rigid motion, found by Gauss-Newton steps on the point-to-plane
distances between views, coarse to fine. The motions are kept only if points that did not take part fit better.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.geometry import PointCloud
from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.quantiles import median
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.plane_fits import fit_planes
from fastsdf.prepare.registration.gauss_newton import Motions, at_rest, improved, without_common_motion
from fastsdf.prepare.registration.pairs import pair_points
from fastsdf.prepare.registration.views import ViewPoints, find_views, thin_views
from fastsdf.spatial.knn import PointIndex, point_index

MAX_POINTS = (150_000, 400_000)  # on a CPU, elsewhere, after thinning; bounds time. Chosen
QUERIES = (40_000, 100_000)  # points paired in a round, on a CPU, elsewhere; a recipe found 15,000 pairs to suffice
NORMAL_NEIGHBOURS = 24  # of a plane fit over all views; chosen: wider than the noise of thinned points
ROUNDS = 12  # Gauss-Newton steps; a measured recipe took 12 to 15
NORMALS_EVERY = 4  # rounds after which normals are fitted anew to the moved points; chosen
SEARCH_SPACINGS = 4.0  # radius of the search for pairs, in median spacings of the thinned points; chosen
WIDEST_SCALES = 4.0  # the first round's scale over the last one's, at least; chosen
AGREEING_NOISES = 0.15  # over the noise; if the first step moves every view by less, they agree. Chosen
MIN_GAIN = 0.02  # least relative decrease of the held-out residual; chosen above its spread between draws of points


class Refinement(NamedTuple):
    """A scan whose views were moved.

    Attributes:
        cloud: the scan; points, normals and sensor positions moved with their views.
        motions: index of each view in the file, or number of each distinct sensor position in file order -> (4, 4)
            float64 motion, world to world; None if no view was moved.
        facts: what was done, for the report.
    """

    cloud: PointCloud
    motions: Mapping[int, np.ndarray] | None
    facts: dict[str, Any]


def refine_views(cloud: PointCloud, device: str = "cpu", seed: int = 0, enabled: bool = True) -> Refinement:
    """Moves the views of a scan so that they agree, if that helps.

    Args:
        cloud: a scan, world frame; views are its view indices, or else its distinct sensor positions.
        device: torch device.
        seed: of the choice of points.
        enabled: False returns the scan unchanged.

    Returns:
        The scan unchanged, with ``motions`` None, if it has fewer than two views, if they agree already, or if
        held-out points do not fit better after the motions.
    """
    views = find_views(cloud) if enabled else None
    if views is None:
        return Refinement(cloud, None, {})
    scene = _thinned(cloud, views, device, seed)
    motions, before, after = _solve(scene)
    facts = {"views": len(views.names), "views_from": views.source}
    if before > 0:  # not a number without overlap
        facts["view_residual_m"] = before
    if motions is None or not after <= (1 - MIN_GAIN) * before:
        return Refinement(cloud, None, facts)
    lengths = motions.lengths()
    facts |= {
        "view_residual_refined_m": after,
        "views_moved_median_m": float(np.median(lengths)),
        "views_moved_max_m": float(lengths.max()),
    }
    whole = _about_origin(motions, scene.middle)
    of_view = np.concatenate([whole, np.eye(4)[None]])[views.group_of_view]
    motions_by_view = dict(zip(views.names.tolist(), of_view, strict=True))
    return Refinement(_moved_cloud(cloud, whole, views.group), motions_by_view, facts)


class _Scene(NamedTuple):
    """The thinned scan: points about ``middle`` (3,), directions to their sensors or None, groups, and two samples."""

    points: Tensor
    towards: Tensor | None
    group: Tensor
    groups: int
    queries: Tensor
    held_out: Tensor
    middle: np.ndarray


def _thinned(cloud: PointCloud, views: ViewPoints, device: str, seed: int) -> _Scene:
    """Thins the points of the views that can be moved, and draws the points to pair and those to test."""
    member = np.flatnonzero(views.group >= 0)
    middle = cloud.points[member].mean(0)
    points = torch.as_tensor(cloud.points[member] - middle, device=device)
    group = torch.as_tensor(views.group[member], device=device)
    kept = thin_views(points, group, chunk_size(points.device, *MAX_POINTS))
    rows = member[kept.cpu().numpy()]
    points, group = points[kept], group[kept]
    towards = None
    if cloud.sensors is not None:
        towards = torch.as_tensor(cloud.sensors[rows] - cloud.points[rows], device=device)
    elif cloud.normals is not None:
        towards = torch.as_tensor(cloud.normals[rows], device=device)
    order = torch.as_tensor(np.random.default_rng(seed).permutation(len(points)), device=device)
    count = min(chunk_size(points.device, *QUERIES), int(0.8 * len(points)))
    return _Scene(points, towards, group, views.groups, order[:count], order[count : 2 * count], middle)


def _solve(scene: _Scene) -> tuple[Motions | None, float, float]:
    """The motions, or None where the views agree; and the held-out residual before and after them."""
    points, group = scene.points, scene.group
    motions = at_rest(points, group, scene.groups)
    index = point_index(points)
    normals, spacing = _normals(scene, index)
    radius, signed = SEARCH_SPACINGS * spacing, scene.towards is not None
    within = pair_points(index, normals, group, scene.held_out, radius, signed, same=True)
    first = pair_points(index, normals, group, scene.queries, radius, signed)
    if len(first.one) < 6 * scene.groups or len(within.one) < 6 * scene.groups:
        return None, float("nan"), float("nan")
    noise = max(1.4826 * median(within.offset.abs()), 1e-9 * radius)
    widest = max(WIDEST_SCALES * noise, 2 * 1.4826 * median(first.offset.abs()))
    before = _held_out_residual(scene, motions, normals, radius, signed, widest)
    for turn in range(ROUNDS):
        moved = motions.moved(points, group)
        if turn:
            index = point_index(moved)
        if turn and turn % NORMALS_EVERY == 0:
            normals, _ = _normals(scene, index, motions)
        pairs = first if turn == 0 else pair_points(index, normals, group, scene.queries, radius, signed)
        scale = noise * (widest / noise) ** (1 - turn / (ROUNDS - 1))
        step = improved(motions, pairs, moved, normals, group, scale)
        normals = Motions(step.rotation @ motions.rotation.transpose(0, 2, 1), *step[1:]).turned(normals, group)
        motions = step
        if turn == 0 and float(motions.lengths().max()) < AGREEING_NOISES * noise:
            return None, before, before
    motions = without_common_motion(motions, points, group)
    moved_normals, _ = _normals(scene, point_index(motions.moved(points, group)), motions)
    return motions, before, _held_out_residual(scene, motions, moved_normals, radius, signed, widest)


def _normals(scene: _Scene, index: PointIndex, motions: Motions | None = None) -> tuple[Tensor, float]:
    """Unit normals (n, 3) of the points of an index, towards their sensors where these are known; median spacing."""
    gap, nearest = index.query(index.points, NORMAL_NEIGHBOURS + 1)
    normals = fit_planes(index.points, nearest).normals
    if scene.towards is not None:
        towards = scene.towards if motions is None else motions.turned(scene.towards, scene.group)
        normals = torch.where(dot(normals, towards)[:, None] < 0, -normals, normals)
    return normals, float(np.sqrt(np.pi / NORMAL_NEIGHBOURS)) * median(gap[:, -1])


def _held_out_residual(
    scene: _Scene, motions: Motions, normals: Tensor, radius: float, signed: bool, limit: float
) -> float:
    """Mean offset between views over points that were not used; offsets above ``limit`` count as ``limit``."""
    index = point_index(motions.moved(scene.points, scene.group))
    pairs = pair_points(index, normals, scene.group, scene.held_out, radius, signed)
    return float(pairs.offset.abs().clamp_max(limit).mean()) if len(pairs.one) else float("nan")


def _about_origin(motions: Motions, middle: np.ndarray) -> np.ndarray:
    """(g, 4, 4) motions of points about ``middle`` (3,) as matrices of the world frame."""
    out = motions.matrices()
    out[:, :3, 3] += middle - out[:, :3, :3] @ middle
    return out


def _moved_cloud(cloud: PointCloud, matrices: np.ndarray, group: np.ndarray) -> PointCloud:
    """The cloud with every group (n,) moved by its matrix; points of group -1 stay."""
    points = cloud.points.copy()
    normals = None if cloud.normals is None else cloud.normals.copy()
    sensors = None if cloud.sensors is None else cloud.sensors.copy()
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(matrices) + 1))
    for number, matrix in enumerate(matrices):
        rows = order[bounds[number] : bounds[number + 1]]
        turn, shift = matrix[:3, :3], matrix[:3, 3]
        points[rows] = points[rows] @ turn.T + shift
        if normals is not None:
            normals[rows] = normals[rows] @ turn.T
        if sensors is not None:
            sensors[rows] = sensors[rows] @ turn.T + shift
    return replace(cloud, points=points, normals=normals, sensors=sensors)
