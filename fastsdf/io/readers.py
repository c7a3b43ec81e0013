# SPDX-License-Identifier: MIT
"""One function that reads any supported scan file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastsdf.errors import InputError, ScanError
from fastsdf.io.attributes import colors_to_uint8
from fastsdf.io.cleaning import clean_cloud, with_sensor
from fastsdf.io.files import require_file
from fastsdf.io.meshes import TRIMESH_SUFFIXES, read_mesh
from fastsdf.io.ply import read_ply_cloud
from fastsdf.io.sampling import sample_mesh
from fastsdf.io.tables import read_npy_cloud, read_npz_cloud, read_text_cloud
from fastsdf.open3d_library import load_open3d
from fastsdf.scan import PointCloud

TEXT_SUFFIXES = (".xyz", ".txt", ".csv", ".pts", ".asc")


def read_point_cloud(
    path: str | Path, *, sensor: tuple[float, float, float] | None = None, samples: int = 300_000, seed: int = 0
) -> PointCloud:
    """Read a scan as a cleaned point cloud in world coordinates (float64).

    Formats by suffix: PLY, text tables (.xyz .txt .csv .pts .asc), NPY, NPZ, PCD (needs open3d), and the meshes OBJ,
    STL, GLB, GLTF and OFF (need trimesh), which are sampled by area. Of a PLY mesh the vertices are taken.
    Rows with non-finite values or zero normals are dropped and counted in ``notes``; normals get unit length.

    Args:
        path: the scan file.
        sensor: one sensor position (x, y, z) in world units for all points; overrides per-point positions.
        samples: number of points drawn from a mesh.
        seed: seed of that drawing.

    Returns:
        The cloud, with at least 100 points.

    Raises:
        ScanError: the file cannot be read, or holds too few usable points.
        InputError: ``sensor`` or ``samples`` is out of range.
    """
    path = require_file(path)
    suffix = path.suffix.lower()
    readers = _readers()
    if suffix in TRIMESH_SUFFIXES:
        cloud = _sample_mesh_file(path, samples, seed)
    elif suffix in readers:
        cloud = readers[suffix](path)
    else:
        known = ", ".join(sorted((*readers, *TRIMESH_SUFFIXES)))
        raise ScanError(f"{path}: unknown scan suffix '{path.suffix}', known are {known}: convert the file")
    if sensor is not None:
        cloud = with_sensor(cloud, sensor)
    return clean_cloud(cloud, path)


def _readers() -> dict[str, Callable[[Path], PointCloud]]:
    text = dict.fromkeys(TEXT_SUFFIXES, read_text_cloud)
    return {".ply": read_ply_cloud, ".npy": read_npy_cloud, ".npz": read_npz_cloud, ".pcd": _read_pcd, **text}


def _sample_mesh_file(path: Path, samples: int, seed: int) -> PointCloud:
    mesh = read_mesh(path)
    cloud = sample_mesh(mesh, samples, seed)
    note = f"{samples} points sampled from a mesh with {len(mesh.faces)} faces (seed {seed})"
    return replace(cloud, notes=(*cloud.notes, note))


def _read_pcd(path: Path) -> PointCloud:
    try:
        open3d = load_open3d()
    except InputError as error:
        raise ScanError(f"{path}: {error}; or convert the scan to PLY") from error
    try:
        with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
            loaded = open3d.io.read_point_cloud(path)
    except (RuntimeError, ValueError) as error:
        raise ScanError(f"{path}: open3d cannot read it ({error}): export the file again") from error
    if not loaded.has_points():
        raise ScanError(f"{path}: open3d found no points (is it a PCD file?): export the file again, or as PLY")
    colors, notes = colors_to_uint8(np.array(loaded.colors) if loaded.has_colors() else None)
    normals = np.array(loaded.normals) if loaded.has_normals() else None
    return PointCloud(np.array(loaded.points), normals, colors, notes=notes)
