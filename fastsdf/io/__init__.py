# SPDX-License-Identifier: MIT
"""Reads and writes scans, meshes and grids.

Input: paths. Output: the types of `fastsdf.geometry` (and back). Start reading at `readers`.
Importing this package loads only numpy and plyfile.
"""

from fastsdf.io.atomic import atomic_path
from fastsdf.io.formats.meshes import is_mesh_file, read_mesh
from fastsdf.io.grids import check_grid_path, write_grid
from fastsdf.io.readers import read_point_cloud, read_point_clouds
from fastsdf.io.writers import check_mesh_path, write_mesh, write_point_cloud

__all__ = [
    "atomic_path",
    "check_grid_path",
    "check_mesh_path",
    "is_mesh_file",
    "read_mesh",
    "read_point_cloud",
    "read_point_clouds",
    "write_grid",
    "write_mesh",
    "write_point_cloud",
]
