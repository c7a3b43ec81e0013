# SPDX-License-Identifier: MIT
"""Reads scans of any supported format, one or several as one point cloud."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastsdf.config.units import metres_per
from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.cleaning import clean_cloud, with_sensor
from fastsdf.io.depth.folders import read_depth_folder
from fastsdf.io.file_signature import check_content
from fastsdf.io.files import expand_paths, require_file
from fastsdf.io.formats.e57 import read_e57_cloud
from fastsdf.io.formats.las import read_las_cloud
from fastsdf.io.formats.leica import read_pts_cloud, read_ptx_cloud
from fastsdf.io.formats.meshes import TRIMESH_SUFFIXES, read_mesh
from fastsdf.io.formats.pcd import read_pcd_cloud
from fastsdf.io.formats.ply import read_ply_cloud
from fastsdf.io.formats.tables import read_npy_cloud, read_npz_cloud, read_text_cloud
from fastsdf.io.merging import join_clouds, list_some
from fastsdf.io.poses.pose_files import with_poses
from fastsdf.io.poses.sensor_trajectory import with_trajectory
from fastsdf.io.sampling import sample_mesh

TEXT_SUFFIXES = (".xyz", ".txt", ".csv", ".asc")  # text tables of points


def read_point_cloud(
    path: str | Path,
    *,
    sensor: tuple[float, float, float] | None = None,
    poses: str | Path | None = None,
    trajectory: str | Path | None = None,
    stride: int | None = None,
    units: str = "m",
    samples: int = 300_000,
    seed: int = 0,
) -> PointCloud:
    """Reads a scan as a cleaned point cloud in world coordinates (float64).

    The suffix gives the format: PLY, text tables (.xyz .txt .csv .asc), PTS, PTX, NPY, NPZ, PCD (needs open3d), LAS and
    LAZ (need laspy and lazrs), E57 (needs pye57), or the meshes OBJ, STL, GLB, GLTF and OFF (need trimesh), which are
    sampled by area. A PLY mesh gives its vertices. A folder is read as posed depth images (needs pillow). Points that
    are not finite are dropped and counted in ``notes``. Normals get unit length; an unknown normal becomes zero.

    Args:
        path: scan file or folder.
        sensor: one sensor position (x, y, z) for all points, in the file's units; replaces per-point positions.
        poses: file of poses, for points with a view index; the translation of a pose is the sensor position.
        trajectory: file of lines ``time x y z``, for points with times; it gives the sensor position at each time.
        stride: use every n-th row and column of depth images; None chooses it from the number of images.
        units: units of the coordinates, also of ``sensor``, ``poses`` and ``trajectory``: m, cm, mm, ft or in. The
            cloud is in metres.
        samples: number of points sampled from a mesh.
        seed: seed of these samples.

    Returns:
        The cloud, with at least 100 points.

    Raises:
        ScanError: the file cannot be read, or holds too few usable points.
        InputError: an argument is out of range or unknown, more than one of ``sensor``, ``poses`` and ``trajectory`` is
            given, or units are given for a folder.

    >>> import fastsdf, numpy as np
    >>> cloud = fastsdf.PointCloud(np.random.default_rng(0).random((500, 3)))
    >>> fastsdf.write_point_cloud(cloud, "scan.ply")
    >>> scan = fastsdf.read_point_cloud("scan.ply", sensor=(0.5, 0.5, 0.5))
    >>> scan.points.dtype.name, scan.sensors.shape
    ('float64', (500, 3))
    """
    metres = metres_per(units)
    given = {"a sensor position": sensor, "poses": poses, "a trajectory": trajectory}
    named = [f"{name} ({value})" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude each other: give one of them")
    path = Path(path)
    if units != "m" and path.is_dir():
        raise InputError(f"{path}: folders of depth images define their own units; remove --units {units}")
    cloud = read_depth_folder(path, stride) if path.is_dir() else _read_file(require_file(path), samples, seed)
    if sensor is not None:
        cloud = with_sensor(cloud, sensor)
    if poses is not None:
        cloud = with_poses(cloud, poses)
    if trajectory is not None:
        cloud = with_trajectory(cloud, trajectory)
    if cloud.views is not None and cloud.sensors is None:
        note = "the points have view indices; use --poses FILE to give them sensor positions"
        cloud = replace(cloud, notes=(*cloud.notes, note))
    return clean_cloud(cloud if units == "m" else _scaled(cloud, units, metres), path)


def read_point_clouds(paths: Sequence[str | Path], **options: Any) -> PointCloud:
    """Reads several scans in one world frame as one cloud; keeps the attributes that all of them have.

    Args:
        paths: scan files, folders, or patterns such as ``scans/*.las`` for files.
        options: as for `read_point_cloud`, the same for every scan.

    Raises:
        ScanError: a scan cannot be read, or a pattern matches no file.
        InputError: there is no path, a scan is named twice, or an option is out of range.

    >>> import fastsdf, numpy as np
    >>> cloud = fastsdf.PointCloud(np.random.default_rng(0).random((500, 3)))
    >>> fastsdf.write_point_cloud(cloud, "scan.ply")
    >>> fastsdf.write_point_cloud(cloud, "more.ply")
    >>> len(fastsdf.read_point_clouds(["scan.ply", "more.ply"]))
    1000
    """
    found = expand_paths(paths)
    clouds = [read_point_cloud(path, **options) for path in found]
    if len(clouds) == 1:
        return clouds[0]
    names = [str(path) for path in found]
    counts = [f"{name} ({len(cloud):,} points)" for name, cloud in zip(names, clouds, strict=True)]
    merged = join_clouds(clouds, names)
    return replace(merged, notes=(f"merged {len(clouds)} scans: {list_some(counts)}", *merged.notes))


def _scaled(cloud: PointCloud, units: str, metres: float) -> PointCloud:
    """Converts a cloud to metres; ``metres`` is the length of its unit."""
    sensors = None if cloud.sensors is None else cloud.sensors * metres
    note = f"coordinates taken as {units} and turned to metres"
    return replace(cloud, points=cloud.points * metres, sensors=sensors, units=units, notes=(*cloud.notes, note))


def _read_file(path: Path, samples: int, seed: int) -> PointCloud:
    suffix = path.suffix.lower()
    readers = _readers()
    check_content(path)
    if suffix in TRIMESH_SUFFIXES:
        return _sample_mesh_file(path, samples, seed)
    if suffix in readers:
        return readers[suffix](path)
    known = ", ".join(sorted((*readers, *TRIMESH_SUFFIXES)))
    raise ScanError(f"{path}: unknown scan suffix '{path.suffix}', known are {known}: convert the file")


def _readers() -> dict[str, Callable[[Path], PointCloud]]:
    text = dict.fromkeys(TEXT_SUFFIXES, read_text_cloud)
    return {
        ".ply": read_ply_cloud,
        ".npy": read_npy_cloud,
        ".npz": read_npz_cloud,
        ".pcd": read_pcd_cloud,
        ".las": read_las_cloud,
        ".laz": read_las_cloud,
        ".e57": read_e57_cloud,
        ".pts": read_pts_cloud,
        ".ptx": read_ptx_cloud,
        **text,
    }


def _sample_mesh_file(path: Path, samples: int, seed: int) -> PointCloud:
    mesh = read_mesh(path)
    cloud = sample_mesh(mesh, samples, seed)
    note = f"{samples} points sampled from a mesh with {len(mesh.faces)} faces (seed {seed})"
    return replace(cloud, notes=(*cloud.notes, note))
