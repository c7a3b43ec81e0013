# SPDX-License-Identifier: MIT
"""A fitted field and its mesh in a frame where z is up, as the report draws them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.model import FittedField
from fastsdf.rendering.viewpoints import Field
from fastsdf.spatial.knn import point_index

MARGIN_SHARE = 0.03
MOST_POINTS = 400_000
DENSE_QUANTILES = (0.02, 0.98)
AROUND_SHARE = 0.5
FRAMES = {
    "x": ("y", "z", "x"),
    "y": ("x", "-z", "y"),
    "z": ("x", "y", "z"),
    "-x": ("y", "-z", "-x"),
    "-y": ("x", "z", "-y"),
    "-z": ("x", "-y", "-z"),
}


class Box(NamedTuple):
    """Corners (3,) of a box along the axes."""

    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class Scene:
    """What is drawn; all coordinates are those of the turned frame, lengths those of the world.

    Attributes:
        names: of the frame's axes in the world, such as ("x", "-z", "y").
        axes: (3, 3) the frame's axes in the world, one per row.
        field: signed distances (n,) at places (n, 3).
        clear: the same, or the distance to the nearest scan point where that is less.
        mesh: the mesh.
        points: (n, 3) scan points, at most 400,000, spread evenly over their order.
        box: of the field, a little wider than the scan.
        standing: where to look from: the box of nearly all scan points, or around it for an object.
        target: (3,) the middle of an object; None in a room.
    """

    names: tuple[str, str, str]
    axes: np.ndarray
    field: Field
    clear: Field
    mesh: TriangleMesh
    points: np.ndarray
    box: Box
    standing: Box
    target: np.ndarray | None


def make_scene(fitted: FittedField, mesh: TriangleMesh, up: str) -> Scene:
    """The scene of a run.

    Args:
        fitted: the field.
        mesh: its mesh in the world.
        up: the world's axis that points up, see `check_up`.
    """
    names, axes = frame_of(up)
    points = _some(fitted.support.points)
    index = point_index(torch.as_tensor(points))

    def field(places: np.ndarray) -> np.ndarray:
        return fitted.sdf(places @ axes)

    def clear(places: np.ndarray) -> np.ndarray:
        apart, _ = index.query(torch.as_tensor(places @ axes), 1)
        return np.minimum(field(places), apart[:, 0].cpu().numpy())

    corners = fitted.transform.to_world(np.array([fitted.transform.lower, fitted.transform.upper])) @ axes.T
    margin = MARGIN_SHARE * np.ptp(corners, axis=0).max()
    shown = points @ axes.T
    dense = Box(*np.quantile(shown, DENSE_QUANTILES, axis=0))
    is_object = fitted.config.scene == "object"
    target = (dense.lower + dense.upper) / 2 if is_object else None
    standing = standing_box(dense, is_object)
    box = Box(corners.min(0) - margin, corners.max(0) + margin)
    return Scene(names, axes, field, clear, turned(mesh, axes), shown, box, standing, target)


def check_up(up: str) -> tuple[str, str, str]:
    """Names of the axes of the frame whose third axis is the world's axis ``up``.

    Raises:
        InputError: if there is no such axis.
    """
    if up not in FRAMES:
        raise InputError(f"--up '{up}' is no axis; give the scan's axis that points up: {', '.join(FRAMES)}")
    return FRAMES[up]


def frame_of(up: str) -> tuple[tuple[str, str, str], np.ndarray]:
    """Names of the frame's axes in the world and the axes (3, 3), one per row; the third is the world's ``up``."""
    names = check_up(up)
    signs = [[(-1 if name[0] == "-" else 1) * (name[-1] == axis) for axis in "xyz"] for name in names]
    return names, np.array(signs, float)


def standing_box(dense: Box, is_object: bool) -> Box:
    """Where to look from: the box of nearly all of a room, or that of an object with half its longest side around."""
    around = AROUND_SHARE * (dense.upper - dense.lower).max() if is_object else 0.0
    return Box(dense.lower - around, dense.upper + around)


def turned(mesh: TriangleMesh, axes: np.ndarray) -> TriangleMesh:
    """A mesh in a frame whose axes in the world are the rows of ``axes`` (3, 3)."""
    normals = None if mesh.normals is None else mesh.normals @ axes.T
    return replace(mesh, vertices=mesh.vertices @ axes.T, normals=normals)


def _some(points: np.ndarray) -> np.ndarray:
    """At most MOST_POINTS of the points (n, 3), spread evenly over their order."""
    if len(points) <= MOST_POINTS:
        return points
    return points[np.linspace(0, len(points) - 1, MOST_POINTS).astype(np.int64)]


def scan_name(fitted: FittedField) -> str:
    """File names of the scans, or "scan" for arrays."""
    given = fitted.scan.facts.get("scan", "scan")
    return ", ".join(Path(name).name for name in ([given] if isinstance(given, str) else given))
