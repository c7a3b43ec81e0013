# SPDX-License-Identifier: MIT
"""Compares fastsdf on a CPU with Poisson and ball pivoting: wall time, peak memory and scores on one scan.

    python -m benchmarks.peers.cpu_peers compare SCAN -o runs/peers --reference gt.ply --observed visible.ply

Screened Poisson (Kazhdan & Hoppe 2013) and ball pivoting (Bernardini et al. 1999) come from Open3D. They get normals
from the 30 nearest points. Each method runs in a fresh process, which includes the estimation of normals. ``poisson``
writes two meshes: one without the 1% of vertices with the lowest density, and one without the vertices farther than two
spacings from every point. With ``--orientation paths`` no method gets the sensor positions; the peers then orient their
normals consistently over tangent planes.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.shared.harness import Rows, environment, markdown
from benchmarks.shared.processes import SCORES, fastsdf, run_fresh, score
from fastsdf.geometry import PointCloud
from fastsdf.io import read_point_cloud
from fastsdf.system.open3d_library import load_open3d

METHODS = ("poisson", "ball-pivoting", "fastsdf")
NEIGHBOURS = 30  # points per normal; the default of Open3D's search parameter
DEPTH = 10  # of Poisson's octree, 1024 cells per axis; chosen, not swept
DENSITY_QUANTILE = 0.01  # vertices to remove; chosen, as in Open3D's tutorial
CROP_SPACINGS = 2.0  # chosen, not swept
BALL_SPACINGS = (2.0, 4.0, 8.0)  # radii of the balls; chosen, not swept
COLUMNS = ("method", "orientation", "seed", "exit", "wall_s", "cpu_s", "peak_gib", "load_before", "mesh", *SCORES)

app = typer.Typer(add_completion=False)


def with_normals(cloud: PointCloud) -> Any:
    """An Open3D cloud whose normals point to the sensors, or are consistent over tangent planes without sensors."""
    o3d = load_open3d()
    points = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points))
    points.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(NEIGHBOURS))
    if cloud.sensors is None:
        points.orient_normals_consistent_tangent_plane(NEIGHBOURS)
        return points
    normals = np.asarray(points.normals)
    normals *= np.where(((cloud.sensors - cloud.points) * normals).sum(1) < 0, -1.0, 1.0)[:, None]
    points.normals = o3d.utility.Vector3dVector(normals)
    return points


def median_spacing(points: Any) -> float:
    """Median distance of a point to its nearest neighbour."""
    return float(np.median(points.compute_nearest_neighbor_distance()))


def pivoted(points: Any, spacing: float) -> Any:
    """The mesh by ball pivoting with three radii."""
    o3d = load_open3d()
    radii = o3d.utility.DoubleVector([spacing * factor for factor in BALL_SPACINGS])
    return o3d.geometry.TriangleMesh.create_from_point_cloud_ball_pivoting(points, radii)


@app.command()
def reconstruct(method: str, scan: Path, out: Path, orientation: str) -> None:
    """Runs one peer: reads SCAN and writes the meshes into the folder OUT, named after the method."""
    cloud = read_point_cloud(scan)
    o3d = load_open3d()
    if orientation != "sensors":
        cloud = replace(cloud, sensors=None)
    elif cloud.sensors is None:
        raise SystemExit(f"{scan} contains no sensor positions; use --orientation paths")
    points = with_normals(cloud)
    spacing = median_spacing(points)
    if method == "ball-pivoting":
        o3d.io.write_triangle_mesh(str(out / "ball-pivoting.ply"), pivoted(points, spacing))
        return
    mesh, density = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(points, depth=DEPTH, n_threads=-1)
    density = np.asarray(density)
    far = np.asarray(o3d.geometry.PointCloud(mesh.vertices).compute_point_cloud_distance(points))
    for name, dropped in (
        ("density", density < np.quantile(density, DENSITY_QUANTILE)),
        ("distance", far > CROP_SPACINGS * spacing),
    ):
        kept = o3d.geometry.TriangleMesh(mesh)
        kept.remove_vertices_by_mask(dropped)
        o3d.io.write_triangle_mesh(str(out / f"poisson-{name}.ply"), kept)


@app.command()
def compare(
    scan: Path,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for meshes, logs and peers.csv")],
    reference: Annotated[Path | None, typer.Option(help="exact surface to score against")] = None,
    observed: Annotated[Path | None, typer.Option(help="points of the exact surface that are visible")] = None,
    orientation: Annotated[str, typer.Option(help="sensors (from the file) or paths (points alone)")] = "sensors",
    methods: Annotated[str, typer.Option(help="methods, separated by commas")] = ",".join(METHODS),
    seed: int = 0,
) -> None:
    """Runs all methods one after the other, scores their meshes and writes peers.csv."""
    out.mkdir(parents=True, exist_ok=True)
    table = Rows(out / "peers.csv", COLUMNS, {**environment("cpu"), "scan": scan.name, "command": " ".join(sys.argv)})
    timed, finished = [], {}
    for method in methods.split(","):
        if method == "fastsdf":
            given = () if orientation == "sensors" else ("--set", f"prepare.orientation={orientation}")
            command = fastsdf("fit", scan, "-o", out / "fastsdf", "--device", "cpu", "--seed", seed, *given)
            meshes = [out / "fastsdf" / "mesh.ply"]
        else:
            command = [sys.executable, __file__, "reconstruct", method, scan, out, orientation]
            names = ("poisson-density", "poisson-distance") if method == "poisson" else (method,)
            meshes = [out / f"{name}.ply" for name in names]
        load = os.getloadavg()[0]
        done = run_fresh(command, out / f"{method}.log")
        typer.echo(f"{method}: {done.wall_s:.1f} s, {done.peak_gib:.2f} GiB, exit {done.code}, load before {load:.2f}")
        finished[method] = done
        timed += [(method, load, done, mesh) for mesh in meshes]
    for method, load, done, mesh in timed:
        scores = score(mesh, reference, observed, mesh.with_suffix(".json")) if reference and mesh.is_file() else {}
        table.add(
            method=method, orientation=orientation, seed=seed, exit=done.code, wall_s=f"{done.wall_s:.1f}",
            cpu_s=f"{done.cpu_s:.1f}", peak_gib=f"{done.peak_gib:.2f}", load_before=f"{load:.2f}",
            mesh=mesh.relative_to(out), **{name: f"{value:.4g}" for name, value in scores.items()},
        )  # fmt: skip
    typer.echo(markdown(table.written))
    if set(METHODS) <= set(finished):
        peers = finished["poisson"].wall_s + finished["ball-pivoting"].wall_s
        typer.echo(f"fastsdf takes {finished['fastsdf'].wall_s / peers:.2f} of the wall time of both peers together")


if __name__ == "__main__":
    app()
