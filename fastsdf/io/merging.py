# SPDX-License-Identifier: MIT
"""Several clouds in one world frame, joined into one."""

from collections.abc import Sequence

import numpy as np

from fastsdf.geometry import PointCloud
from fastsdf.io.crs import crs_name

ATTRIBUTES = ("normals", "colors", "sensors", "views")


def join_clouds(clouds: Sequence[PointCloud], names: Sequence[str]) -> PointCloud:
    """Concatenate clouds in order; an attribute is kept when every cloud has it and left out with a note otherwise.

    Args:
        clouds: at least one cloud, all in the same world frame.
        names: what to call each of them in the notes.

    Returns:
        One cloud; the notes of each part come first, behind its name. A single cloud comes back as it is.
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
            lacking = [name for name, value in zip(names, values, strict=True) if value is None]
            notes.append(f"{attribute} left out: {list_some(lacking)} has none")
    crs = dict.fromkeys(cloud.crs for cloud in clouds)
    if len(crs) > 1:
        systems = [crs_name(name) if name else "none" for name in crs]
        notes.append(f"coordinate reference system left out: the scans name {list_some(systems)}")
    points = np.concatenate([cloud.points for cloud in clouds])
    same = clouds[0].crs if len(crs) == 1 else None
    return PointCloud(points, notes=tuple(notes), crs=same, units=clouds[0].units, **joined)


def _distinct_views(views: Sequence[np.ndarray]) -> list[np.ndarray]:
    """View indices of several clouds, shifted so that no index names views of two clouds."""
    shifted, first = [], 0
    for indices in views:
        low = int(indices.min(initial=0))
        shifted.append(indices - min(low, 0) + first)
        first = int(shifted[-1].max(initial=first - 1)) + 1
    return shifted


def list_some(names: Sequence[str], most: int = 5) -> str:
    """Names joined by commas, with a count in place of those beyond ``most``."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
