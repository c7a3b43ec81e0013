# SPDX-License-Identifier: MIT
"""Reads E57 files with pye57. This is the only module that imports it."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.files import require_file
from fastsdf.io.merging import join_clouds
from fastsdf.system.optional_import import needed_for

# Names of fields in the E57 standard, ASTM E2807.
CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
COLORS = ("colorRed", "colorGreen", "colorBlue")


class _Pose(NamedTuple):
    rotation: np.ndarray  # (3, 3)
    translation: np.ndarray  # (3,) position of the scanner in the world

    @property
    def is_identity(self) -> bool:
        return not self.translation.any() and np.allclose(self.rotation, np.eye(3), rtol=0, atol=1e-12)


def read_e57_cloud(path: str | Path) -> PointCloud:
    """Read all scans of an E57 file in the file's world frame; the result is not cleaned.

    The translation of a scan's pose is the sensor position of its points. If all poses are the identity, as in merged
    clouds, the origin is no scanner position: the sensor positions are then unknown, with a note. Points marked as
    invalid are dropped with a note. Spherical coordinates are converted to cartesian ones. The coordinate reference
    system is the file's ``coordinateMetadata``.

    Raises:
        ScanError: pye57 is not installed, or the file is missing, damaged or without scans.
    """
    path = require_file(path)
    pye57 = _load_pye57(path)
    try:
        with pye57.E57(str(path)) as image:
            headers = [image.get_header(index) for index in range(image.scan_count)]
            poses = [_pose(header) for header in headers]
            located = any(pose is not None and not pose.is_identity for pose in poses)
            crs = _reference_system(image.root)
            names = [f"scan {index}" for index in range(len(headers))]
            parts = [_read_scan(pye57, image, h, p, located) for h, p in zip(headers, poses, strict=True)]
    except Exception as error:  # The exceptions of libe57 have no other common base class.
        raise ScanError(f"{path}: pye57 cannot read it ({_first_line(error)}): export the file again") from error
    if not parts:
        raise ScanError(f"{path} holds no scans: export it again with points")
    cloud = replace(join_clouds(parts, names), crs=crs)
    if located:
        return cloud
    note = "no scan in the file has a pose with the position of its scanner; --sensor x,y,z sets one for all points"
    return replace(cloud, notes=(*cloud.notes, note))


def _read_scan(pye57: ModuleType, image: Any, header: Any, pose: _Pose | None, located: bool) -> PointCloud:
    fields = header.point_fields
    coordinates = CARTESIAN if set(CARTESIAN) <= set(fields) else SPHERICAL
    colored = set(COLORS) <= set(fields)
    state = "cartesianInvalidState" if coordinates == CARTESIAN else "sphericalInvalidState"
    names = [*coordinates, *(COLORS if colored else ()), *((state,) if state in fields else ())]
    data = _read_fields(pye57, image, header, names)
    valid = data[state] == 0 if state in data else np.ones(header.point_count, dtype=bool)
    points = np.stack([data[name][valid] for name in coordinates], axis=1)
    points = points if coordinates == CARTESIAN else _to_cartesian(points)
    if pose is not None:
        points = points @ pose.rotation.T + pose.translation
    colors = np.stack([data[name][valid] for name in COLORS], axis=1) if colored else None
    sensors = np.tile(pose.translation, (len(points), 1)) if located and pose is not None else None
    dropped = len(valid) - len(points)
    notes = (f"dropped {dropped} of {len(valid)} points marked as invalid",) if dropped else ()
    return PointCloud(points, None, _colors_to_uint8(colors, header), sensors, notes)


def _read_fields(pye57: ModuleType, image: Any, header: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Fields of all points, name -> (n,) float64; scaled integers and 16-bit colours are converted."""
    data = {name: np.empty(header.point_count) for name in names}
    buffers = pye57.libe57.VectorSourceDestBuffer()
    for name, values in data.items():
        buffers.append(pye57.libe57.SourceDestBuffer(image.image_file, name, values, len(values), True, True))
    if header.point_count:
        header.points.reader(buffers).read()
    return data


def _to_cartesian(points: np.ndarray) -> np.ndarray:
    """Convert range, azimuth (from x towards y) and elevation (above the xy plane), radians, to x, y, z; (n, 3)."""
    distance, azimuth, elevation = points.T
    horizontal = distance * np.cos(elevation)
    return np.stack([horizontal * np.cos(azimuth), horizontal * np.sin(azimuth), distance * np.sin(elevation)], axis=1)


def _colors_to_uint8(colors: np.ndarray | None, header: Any) -> np.ndarray | None:
    """Scale colours (n, 3) by the limits that the scan declares, or by 8 or 16 bits if the values exceed the limits."""
    if colors is None or len(colors) == 0:
        return None if colors is None else colors.astype(np.uint8)
    limit = 0.0
    if "colorLimits" in header.scan_fields:
        limit = max(float(header["colorLimits"][f"{name}Maximum"].value()) for name in COLORS)
    if not limit >= colors.max():
        limit = 255.0 if colors.max() <= 255 else 65535.0
    return np.clip(np.rint(colors * (255.0 / max(limit, 1.0))), 0, 255).astype(np.uint8)


def _pose(header: Any) -> _Pose | None:
    if not header.has_pose():
        return None
    pose = header["pose"]
    quaternion, translation = np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)
    if pose.isDefined("rotation"):
        quaternion = np.array([pose["rotation"][name].value() for name in "xyzw"])
    if pose.isDefined("translation"):
        translation = np.array([pose["translation"][name].value() for name in "xyz"])
    if not np.linalg.norm(quaternion) > 0:
        raise ValueError(f"the rotation of a scan is {quaternion.tolist()}, which is no unit quaternion")
    return _Pose(Rotation.from_quat(quaternion).as_matrix(), translation)


def _reference_system(root: Any) -> str | None:
    """The coordinate reference system of the file as well-known text, or None."""
    text = root["coordinateMetadata"].value() if root.isDefined("coordinateMetadata") else ""
    return text.strip() or None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _load_pye57(path: Path) -> ModuleType:
    with needed_for(f"{path}: E57 files need pye57", "pip install pye57, or convert to PLY", ScanError):
        import pye57
    return pye57
