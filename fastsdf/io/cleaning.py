# SPDX-License-Identifier: MIT
"""Cleans a point cloud after reading: drops unusable points and refuses scans that cannot be reconstructed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud

MIN_POINTS = 100  # points; a smaller scan is an export error, not a room


def with_sensor(cloud: PointCloud, sensor: Sequence[float]) -> PointCloud:
    """Gives all points one sensor position, which replaces per-point positions.

    Args:
        cloud: the scan.
        sensor: three finite numbers, in the units of the points.

    Raises:
        InputError: ``sensor`` is not three finite numbers.
    """
    position = np.asarray(sensor, dtype=np.float64)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise InputError(f"sensor must be three finite numbers (x, y, z), got {tuple(sensor)}")
    note = f"one sensor position {tuple(position.tolist())} used for all points"
    if cloud.sensors is not None:
        note += "; it replaces the per-point positions of the file"
    return replace(cloud, sensors=np.tile(position, (len(cloud), 1)), notes=(*cloud.notes, note))


def clean_cloud(cloud: PointCloud, path: Path) -> PointCloud:
    """Drops points that are not finite, normalizes the normals, and checks the remaining points.

    A normal that is zero or not finite becomes zero, which means unknown; the point stays. If no normal is usable (some
    exporters write zeros only), the cloud has no normals. Notes report both.

    Raises:
        ScanError: fewer than ``MIN_POINTS`` points are usable, or all points are equal.
    """
    read = len(cloud)
    cloud = _drop(cloud, _finite_rows(cloud.points), "points that are not finite")
    if cloud.sensors is not None:
        cloud = _drop(cloud, _finite_rows(cloud.sensors), "points whose sensor position is not finite")
    cloud = _unit_normals(cloud)
    if len(cloud) < MIN_POINTS:
        raise ScanError(
            f"{path} holds {len(cloud)} usable points ({read} read, {read - len(cloud)} dropped), "
            f"at least {MIN_POINTS} are needed: check the export"
        )
    if not np.ptp(cloud.points, axis=0).any():
        raise ScanError(f"{path}: all {len(cloud)} points are equal (the extent is zero): check the export")
    return cloud


def _unit_normals(cloud: PointCloud) -> PointCloud:
    if cloud.normals is None:
        return cloud
    length = np.linalg.norm(cloud.normals, axis=1)
    usable = np.isfinite(length) & (length > 0)
    if not usable.any():
        return replace(cloud, normals=None, notes=(*cloud.notes, "normals ignored: all are zero or not finite"))
    unit = np.where(usable[:, None], cloud.normals, 0.0) / np.where(usable, length, 1.0)[:, None]
    absent = int(len(usable) - np.count_nonzero(usable))
    note = f"{absent} of {len(usable)} normals are zero or not finite: estimated from the points around them"
    return replace(cloud, normals=unit, notes=(*cloud.notes, note) if absent else cloud.notes)


def _finite_rows(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.isfinite(values).all(axis=1))


def _drop(cloud: PointCloud, keep: np.ndarray, what: str) -> PointCloud:
    dropped = int(len(keep) - np.count_nonzero(keep))
    if dropped == 0:
        return cloud
    kept = cloud.select(keep)
    return replace(kept, notes=(*cloud.notes, f"dropped {dropped} of {len(keep)} {what}"))
