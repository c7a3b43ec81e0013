# SPDX-License-Identifier: MIT
"""Runs one other reconstruction method from PyPI on one scan.

    python -m benchmarks.peers.peers METHOD SCAN FOLDER

Normals are estimated from 30 neighbours. They are turned towards the sensors if the scan contains them, otherwise made
consistent over tangent planes. The spacing is the median distance of a point to its nearest neighbour. The methods:

poisson         screened Poisson of Open3D, with the smallest depth (8 to 11) whose cells are no larger than the
                spacing. It writes two meshes: one without the 1% of vertices with the lowest density
                (poisson-density), and one without the vertices farther than 3 spacings from every point (poisson-crop)
ball-pivoting   ball pivoting of Open3D, with radii of 2, 4 and 8 spacings
alpha-shape     alpha shape of Open3D, with alpha = 6 spacings, after removing statistical outliers (20 neighbours, 2
                standard deviations)
apss, rimls     marching cubes of MeshLab on moving least squares surfaces, with cells of one spacing (at most 125
                million cells), after removing statistical outliers (4 standard deviations); cropped at 2 spacings
meshlab-poisson screened Poisson of MeshLab with the same depth as poisson, cropped at 3 spacings

The crop distances and outlier filters gave the best scores on a room of 100,000 points (tried: 2, 3 and 4 spacings; 2
and 4 standard deviations and no filter), so they favour the peers there.
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
OUTLIER_NEIGHBOURS = 20  # as in Open3D's tutorial
OUTLIER_SIGMAS = {"alpha-shape": 2.0, "apss": 4.0, "rimls": 4.0}  # best of 2, 4 and no filter on a room
DEPTHS = (8, 11)  # of the octree; chosen: bounds time and memory
ALPHA_SPACINGS = 6.0  # chosen, not swept
MAX_CELLS = 500**3  # chosen: bounds time and memory
POISSON_CROP, MLS_CROP = 3.0, 2.0  # spacings; best of 2, 3 and 4 on a room


def without_outliers(cloud: PointCloud, sigmas: float) -> PointCloud:
    """Removes the points that lie unusually far from their neighbours."""
    o3d = load_open3d()
    points = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points))
    return cloud.select(np.asarray(points.remove_statistical_outlier(OUTLIER_NEIGHBOURS, sigmas)[1]))


def depth_for(size: np.ndarray, spacing: float) -> int:
    """Octree depth, within `DEPTHS`, at which 1.1 times the size (3,) has cells no larger than the spacing."""
    return int(np.clip(np.ceil(np.log2(1.1 * size.max() / spacing)), *DEPTHS))


def resolution_for(size: np.ndarray, spacing: float) -> int:
    """Number of cells along the longest side of a box (3,): one per spacing, within `MAX_CELLS` in total."""
    return int(size.max() / max(spacing, float(np.prod(size) / MAX_CELLS) ** (1 / 3)))


def box_size(points: Any) -> np.ndarray:
    """Extent (3,) of the points along each axis."""
    return np.asarray(points.get_max_bound() - points.get_min_bound())


def cropped(mesh: Any, points: Any, limit: float) -> Any:
    """Removes the vertices that are farther than ``limit`` from every point, and those that are not finite."""
    vertices = np.asarray(mesh.vertices)
    dropped = ~np.isfinite(vertices).all(axis=1)
    distance, _ = KDTree(np.asarray(points.points)).query(vertices[~dropped], workers=-1)
    dropped[~dropped] = distance > limit
    kept = load_open3d().geometry.TriangleMesh(mesh)
    kept.remove_vertices_by_mask(dropped)
    return kept


def poisson(points: Any, spacing: float) -> list[Any]:
    """Two meshes by screened Poisson: one trimmed by density, one cropped."""
    o3d = load_open3d()
    depth = depth_for(box_size(points), spacing)
    mesh, density = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(points, depth=depth, n_threads=-1)
    trimmed, density = o3d.geometry.TriangleMesh(mesh), np.asarray(density)
    trimmed.remove_vertices_by_mask(density < np.quantile(density, DENSITY_QUANTILE))
    return [trimmed, cropped(mesh, points, POISSON_CROP * spacing)]


def ball_pivoting(points: Any, spacing: float) -> list[Any]:
    """The mesh by ball pivoting."""
    return [pivoted(points, spacing)]


def alpha_shape(points: Any, spacing: float) -> list[Any]:
    """The alpha shape."""
    shape = load_open3d().geometry.TriangleMesh.create_from_point_cloud_alpha_shape
    return [shape(points, ALPHA_SPACINGS * spacing)]


def meshlab(points: Any, name: str, **options: float | int) -> Any:
    """Applies a filter of MeshLab to the points and returns the mesh."""
    import pymeshlab

    o3d, meshes = load_open3d(), pymeshlab.MeshSet()
    positions, normals = np.asarray(points.points), np.asarray(points.normals)
    meshes.add_mesh(pymeshlab.Mesh(vertex_matrix=positions, v_normals_matrix=normals))
    meshes.apply_filter(name, **options)
    made = meshes.current_mesh()
    vertices = o3d.utility.Vector3dVector(made.vertex_matrix())
    return o3d.geometry.TriangleMesh(vertices, o3d.utility.Vector3iVector(made.face_matrix()))


def marching_cubes(name: str) -> Callable[[Any, float], list[Any]]:
    """A function that runs MeshLab's marching cubes on a moving least squares surface."""

    def run(points: Any, spacing: float) -> list[Any]:
        resolution = resolution_for(box_size(points), spacing)
        mesh = meshlab(points, f"generate_marching_cubes_{name}", resolution=resolution)
        return [cropped(mesh, points, MLS_CROP * spacing)]

    return run


def meshlab_poisson(points: Any, spacing: float) -> list[Any]:
    """The mesh by screened Poisson of MeshLab, cropped."""
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
    """Runs METHOD on SCAN and writes its meshes into FOLDER."""
    cloud = read_point_cloud(scan)
    if method in OUTLIER_SIGMAS:
        cloud = without_outliers(cloud, OUTLIER_SIGMAS[method])
    points = with_normals(cloud)
    meshes = RUN[method](points, median_spacing(points))
    for name, mesh in zip(MESHES[method], meshes, strict=True):
        load_open3d().io.write_triangle_mesh(str(folder / f"{name}.ply"), mesh)


if __name__ == "__main__":
    typer.run(main)
