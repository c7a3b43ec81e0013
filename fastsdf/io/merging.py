# SPDX-License-Identifier: MIT
"""Joins several point clouds in one world frame into one."""

from collections.abc import Sequence

import numpy as np

from fastsdf.geometry import PointCloud
from fastsdf.io.crs import crs_name

ATTRIBUTES = ("normals", "colors", "sensors", "views")  # fields of `PointCloud` that are joined


def join_clouds(clouds: Sequence[PointCloud], names: Sequence[str]) -> PointCloud:
    """Concatenates clouds in order; an attribute that some clouds lack is left out with a note.

    Args:
        clouds: at least one cloud, all in the same world frame.
        names: names of the clouds for the notes.

    Returns:
        One cloud; its notes begin with those of each cloud, after its name. Without view indices and sensor positions
        each file is a view. A single cloud is returned unchanged.
    """
    if len(clouds) == 1:
        return clouds[0]
    notes = [f"{name}: {note}" for cloud, name in zip(clouds, names, strict=True) for note in cloud.notes]
    joined: dict[str, np.ndarray] = {}
    for attribute in ATTRIBUTES:
        values = [getattr(cloud, attribute) for cloud in clouds]
        present = [value for value in values if value is not None]
        if attribute == "views" and len(present) == len(clouds):
            present = _distinct_views(present)
        if len(present) == len(clouds):
            joined[attribute] = np.concatenate(present)
        elif present:
            without = [name for name, value in zip(names, values, strict=True) if value is None]
            notes.append(f"{attribute} left out: {list_some(without)} has none")
    if all(cloud.views is None and cloud.sensors is None for cloud in clouds):  # so that files can be moved to agree
        joined["views"] = np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])
    crs = dict.fromkeys(cloud.crs for cloud in clouds)
    if len(crs) > 1:
        systems = [crs_name(name) if name else "none" for name in crs]
        notes.append(f"coordinate reference system left out: the scans name {list_some(systems)}")
    points = np.concatenate([cloud.points for cloud in clouds])
    same = clouds[0].crs if len(crs) == 1 else None
    return PointCloud(points, notes=tuple(notes), crs=same, units=clouds[0].units, **joined)


def _distinct_views(views: Sequence[np.ndarray]) -> list[np.ndarray]:
    """View indices of several clouds, shifted so that no index occurs in two clouds."""
    shifted, first = [], 0
    for indices in views:
        low = int(indices.min(initial=0))
        shifted.append(indices - min(low, 0) + first)
        first = int(shifted[-1].max(initial=first - 1)) + 1
    return shifted


def list_some(names: Sequence[str], max_shown: int = 5) -> str:
    """Joins names by commas; replaces those after the first ``max_shown`` by their number."""
    shown = ", ".join(names[:max_shown])
    return shown if len(names) <= max_shown else f"{shown} and {len(names) - max_shown} more"
