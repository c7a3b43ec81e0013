# SPDX-License-Identifier: MIT
"""A fitted field and its mesh in a frame with z up, ready to be drawn by the report and the viewer."""

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

MARGIN_SHARE = 0.03  # of the longest side of the field's box, added on each side; chosen by eye
MAX_POINTS = 400_000  # scan points that are drawn or measured; bounds the time, not swept
DENSE_QUANTILES = (0.02, 0.98)  # per axis; the points between them bound the region for cameras; chosen, not swept
AROUND_SHARE = 0.5  # of the longest side of an object: distance of the cameras' box around it; chosen by eye
FRAMES = {  # axis that points up in the world -> axes of the drawn frame, a right-handed system with it as the third
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
    """Everything that is drawn; coordinates are in the z-up frame, lengths in world units.

    Attributes:
        names: world axes that the axes of the frame follow, such as ("x", "-z", "y").
        axes: (3, 3) the frame's axes in the world, one per row.
        field: signed distances (n,) at points (n, 3).
        clearance: the lesser of the signed distance and the distance to the nearest scan point, (n,) at points (n, 3).
        mesh: the mesh.
        points: (n, 3) scan points, at most 400,000, evenly spaced over the order of the scan.
        box: box of the field, a little larger than the scan.
        camera_box: box for camera positions: that of nearly all scan points, enlarged for an object.
        target: (3,) centre of an object; None for a room.
    """

    names: tuple[str, str, str]
    axes: np.ndarray
    field: Field
    clearance: Field
    mesh: TriangleMesh
    points: np.ndarray
    box: Box
    camera_box: Box
    target: np.ndarray | None


def make_scene(fitted: FittedField, mesh: TriangleMesh, up: str) -> Scene:
    """Build the scene of a run.

    Args:
        fitted: the field.
        mesh: its mesh, world coordinates.
        up: the world axis that points up, see `check_up`.
    """
    names, axes = frame_of(up)
    points = _thinned(fitted.support.points)
    index = point_index(torch.as_tensor(points))

    def field(points: np.ndarray) -> np.ndarray:
        return fitted.sdf(points @ axes)

    def clearance(points: np.ndarray) -> np.ndarray:
        distance, _ = index.query(torch.as_tensor(points @ axes), 1)
        return np.minimum(field(points), distance[:, 0].cpu().numpy())

    corners = fitted.transform.to_world(np.array([fitted.transform.lower, fitted.transform.upper])) @ axes.T
    margin = MARGIN_SHARE * np.ptp(corners, axis=0).max()
    shown = points @ axes.T
    dense = Box(*np.quantile(shown, DENSE_QUANTILES, axis=0))
    is_object = fitted.config.scene == "object"
    target = (dense.lower + dense.upper) / 2 if is_object else None
    camera_box = camera_box_of(dense, is_object)
    box = Box(corners.min(0) - margin, corners.max(0) + margin)
    return Scene(names, axes, field, clearance, to_frame(mesh, axes), shown, box, camera_box, target)


def check_up(up: str) -> tuple[str, str, str]:
    """Names of the axes of the frame whose third axis is the world axis ``up``.

    Raises:
        InputError: ``up`` is not an axis.
    """
    if up not in FRAMES:
        raise InputError(f"--up '{up}' is no axis; give the axis of the scan that points up: {', '.join(FRAMES)}")
    return FRAMES[up]


def frame_of(up: str) -> tuple[tuple[str, str, str], np.ndarray]:
    """The names of a frame's axes in the world, and the axes (3, 3), one per row; the third one is ``up``."""
    names = check_up(up)
    signs = [[(-1 if name[0] == "-" else 1) * (name[-1] == axis) for axis in "xyz"] for name in names]
    return names, np.array(signs, float)


def camera_box_of(dense: Box, is_object: bool) -> Box:
    """The box for camera positions: ``dense`` for a room; for an object, enlarged by half its longest side."""
    margin = AROUND_SHARE * (dense.upper - dense.lower).max() if is_object else 0.0
    return Box(dense.lower - margin, dense.upper + margin)


def to_frame(mesh: TriangleMesh, axes: np.ndarray) -> TriangleMesh:
    """Transform a mesh from world coordinates to a frame, whose axes in the world are the rows of ``axes`` (3, 3)."""
    normals = None if mesh.normals is None else mesh.normals @ axes.T
    return replace(mesh, vertices=mesh.vertices @ axes.T, normals=normals)


def _thinned(points: np.ndarray) -> np.ndarray:
    """At most MAX_POINTS of the points (n, 3), evenly spaced over their order."""
    if len(points) <= MAX_POINTS:
        return points
    return points[np.linspace(0, len(points) - 1, MAX_POINTS).astype(np.int64)]


def scan_name(fitted: FittedField) -> str:
    """The file names of the scans, or "scan" if the points were given as arrays."""
    given = fitted.scan.facts.get("scan", "scan")
    return ", ".join(Path(name).name for name in ([given] if isinstance(given, str) else given))
