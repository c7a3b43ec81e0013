# SPDX-License-Identifier: MIT
"""Other reconstructions by packages that pip installs, one scan and one method per process.

    python -m benchmarks.peers.peers METHOD SCAN FOLDER

Normals come from 30 neighbours, turned to the sensors where the scan has them and made consistent over tangent planes
else. Lengths are multiples of the median distance between nearest neighbours, the spacing:

poisson         Open3D's screened Poisson, the least depth (8 to 11) whose cells are no larger than the spacing. Two
                meshes: without the 1% of vertices of least density (poisson-density), and without those farther than 3
                spacings from a point (poisson-crop)
ball-pivoting   Open3D's, radii of 2, 4 and 8 spacings
alpha-shape     Open3D's, alpha of 6 spacings, without statistical outliers (20 neighbours, 2 standard deviations)
apss, rimls     MeshLab's marching cubes on moving least squares surfaces, cells of one spacing (at most 125 million
                cells), without statistical outliers (4 standard deviations), cropped at 2 spacings
meshlab-poisson MeshLab's screened Poisson of the same depth, cropped at 3 spacings

Crops and filters are the best of what was tried on a room of 100,000 points (2, 3 and 4 spacings; 2 and 4 standard
deviations or none), so they favour the peers there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import typer
from scipy.spatial import KDTree

from benchmarks.peers.cpu_peers import DENSITY_QUANTILE, median_spacing, pivoted, with_normals
from fastsdf.geometry import PointCloud
from fastsdf.io import read_point_cloud
from fastsdf.system.open3d_library import load_open3d

MESHES = {
    "poisson": ("poisson-density", "poisson-crop"),
    "ball-pivoting": ("ball-pivoting",),
    "alpha-shape": ("alpha-shape",),
    "apss": ("apss",),
    "rimls": ("rimls",),
    "meshlab-poisson": ("meshlab-poisson",),
}
OUTLIER_NEIGHBOURS = 20
OUTLIER_SIGMAS = {"alpha-shape": 2.0, "apss": 4.0, "rimls": 4.0}
DEPTHS = (8, 11)
ALPHA_SPACINGS = 6.0
MAX_CELLS = 500**3
POISSON_CROP, MLS_CROP = 3.0, 2.0


def without_outliers(cloud: PointCloud, sigmas: float) -> PointCloud:
    """The cloud without points that lie unusually far from their neighbours."""
    o3d = load_open3d()
    points = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points))
    return cloud.select(np.asarray(points.remove_statistical_outlier(OUTLIER_NEIGHBOURS, sigmas)[1]))


def depth_for(size: np.ndarray, spacing: float) -> int:
    """Depth of an octree of 1.1 times the size (3,) whose cells are no larger than the spacing, within `DEPTHS`."""
    return int(np.clip(np.ceil(np.log2(1.1 * size.max() / spacing)), *DEPTHS))


def resolution_for(size: np.ndarray, spacing: float) -> int:
    """Cells along the longest side of a box (3,): as wide as the spacing, or as many as `MAX_CELLS` allows."""
    return int(size.max() / max(spacing, float(np.prod(size) / MAX_CELLS) ** (1 / 3)))


def box_size(points: Any) -> np.ndarray:
    """(3,) extent of the points."""
    return np.asarray(points.get_max_bound() - points.get_min_bound())


def cropped(mesh: Any, points: Any, limit: float) -> Any:
    """The mesh without vertices that are farther than ``limit`` from every point, or not finite."""
    vertices = np.asarray(mesh.vertices)
    dropped = ~np.isfinite(vertices).all(axis=1)
    distance, _ = KDTree(np.asarray(points.points)).query(vertices[~dropped], workers=-1)
    dropped[~dropped] = distance > limit
    kept = load_open3d().geometry.TriangleMesh(mesh)
    kept.remove_vertices_by_mask(dropped)
    return kept


def poisson(points: Any, spacing: float) -> list[Any]:
    """Screened Poisson, trimmed by density, and cropped."""
    o3d = load_open3d()
    depth = depth_for(box_size(points), spacing)
    mesh, density = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(points, depth=depth, n_threads=-1)
    trimmed, density = o3d.geometry.TriangleMesh(mesh), np.asarray(density)
    trimmed.remove_vertices_by_mask(density < np.quantile(density, DENSITY_QUANTILE))
    return [trimmed, cropped(mesh, points, POISSON_CROP * spacing)]


def ball_pivoting(points: Any, spacing: float) -> list[Any]:
    """Ball pivoting."""
    return [pivoted(points, spacing)]


def alpha_shape(points: Any, spacing: float) -> list[Any]:
    """Alpha shape."""
    shape = load_open3d().geometry.TriangleMesh.create_from_point_cloud_alpha_shape
    return [shape(points, ALPHA_SPACINGS * spacing)]


def meshlab(points: Any, name: str, **options: float | int) -> Any:
    """What a filter of MeshLab makes of the points."""
    import pymeshlab

    o3d, meshes = load_open3d(), pymeshlab.MeshSet()
    positions, normals = np.asarray(points.points), np.asarray(points.normals)
    meshes.add_mesh(pymeshlab.Mesh(vertex_matrix=positions, v_normals_matrix=normals))
    meshes.apply_filter(name, **options)
    made = meshes.current_mesh()
    vertices = o3d.utility.Vector3dVector(made.vertex_matrix())
    return o3d.geometry.TriangleMesh(vertices, o3d.utility.Vector3iVector(made.face_matrix()))


def marching_cubes(name: str) -> Callable[[Any, float], list[Any]]:
    """A moving least squares surface of MeshLab."""

    def run(points: Any, spacing: float) -> list[Any]:
        resolution = resolution_for(box_size(points), spacing)
        mesh = meshlab(points, f"generate_marching_cubes_{name}", resolution=resolution)
        return [cropped(mesh, points, MLS_CROP * spacing)]

    return run


def meshlab_poisson(points: Any, spacing: float) -> list[Any]:
    """Screened Poisson of MeshLab."""
    depth = depth_for(box_size(points), spacing)
    mesh = meshlab(points, "generate_surface_reconstruction_screened_poisson", depth=depth)
    return [cropped(mesh, points, POISSON_CROP * spacing)]


RUN: dict[str, Callable[[Any, float], list[Any]]] = {
    "poisson": poisson,
    "ball-pivoting": ball_pivoting,
    "alpha-shape": alpha_shape,
    "apss": marching_cubes("apss"),
    "rimls": marching_cubes("rimls"),
    "meshlab-poisson": meshlab_poisson,
}


def main(method: str, scan: Path, folder: Path) -> None:
    """See the top of the file."""
    cloud = read_point_cloud(scan)
    if method in OUTLIER_SIGMAS:
        cloud = without_outliers(cloud, OUTLIER_SIGMAS[method])
    points = with_normals(cloud)
    meshes = RUN[method](points, median_spacing(points))
    for name, mesh in zip(MESHES[method], meshes, strict=True):
        load_open3d().io.write_triangle_mesh(str(folder / f"{name}.ply"), mesh)


if __name__ == "__main__":
    typer.run(main)
