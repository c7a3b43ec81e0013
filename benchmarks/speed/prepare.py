# SPDX-License-Identifier: MIT
"""Times every stage from a scan in memory to the first training step, as CSV rows.

    python -m benchmarks.speed.prepare --scan room.ply --scan apartment.npz --device cuda --check

A scan is any file that fastsdf reads. ``--points`` changes its number of points: it picks random points, or repeats
points with jitter. Without ``--scan``, noisy boxes imitate a room (600,000 points) and an apartment (3,000,000 points).
Each scan is run ``--repeats`` times; the first run compiles the kernels. ``--check`` also compares the results with
those of the CPU.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from scipy.spatial import KDTree

from benchmarks.shared.harness import Rows, environment
from fastsdf.config.loading import load_config
from fastsdf.config.models import FitConfig
from fastsdf.geometry import PointCloud
from fastsdf.io import read_point_cloud
from fastsdf.prepare.bilateral import smooth_points
from fastsdf.prepare.local_geometry import measure_local_geometry, smoothing_rounds
from fastsdf.prepare.normalize import fit_transform
from fastsdf.prepare.orientation.free_paths import free_paths
from fastsdf.prepare.orientation.propagate import grid_cell, orient, surfels
from fastsdf.prepare.outliers import find_outliers
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.prepare.plane_snapping import snap_to_planes
from fastsdf.spatial.knn import point_index
from fastsdf.spatial.occupancy import occupancy
from fastsdf.system.device import synchronize
from fastsdf.training.sampling import Sampler
from fastsdf.training.session import resolve_for

SUBSET = 20_000  # query points of the check; chosen: the CPU answers them in seconds
COLUMNS = ("scan", "points", "run", "stage", "seconds")


class Stages:
    """Runs functions on a device and writes a row with the time of each."""

    def __init__(self, rows: Rows, scan: str, points: int, device: str):
        self._rows, self._scan, self._points, self._device, self.run = rows, scan, points, device, 0

    def __call__(self, stage: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a function, writes its time as a stage, and returns its result."""
        synchronize(self._device)
        start = time.perf_counter()
        value = function(*arguments)
        synchronize(self._device)
        seconds = f"{time.perf_counter() - start:.4f}"
        self._rows.add(scan=self._scan, points=self._points, run=self.run, stage=stage, seconds=seconds)
        return value


def box_scan(count: int, size: tuple[float, float, float], seed: int = 0) -> PointCloud:
    """Points (count) on the sides of a box with 3 mm of noise; one point in 200 lies anywhere inside."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, size, (count, 3))
    area = np.prod(size) / np.asarray(size)
    axis = rng.choice(3, count, p=area / area.sum())
    on = np.flatnonzero(rng.random(count) > 0.005)
    points[on, axis[on]] = rng.integers(0, 2, len(on)) * np.asarray(size)[axis[on]] + rng.normal(0, 0.003, len(on))
    return PointCloud(points)


def resized(cloud: PointCloud, count: int) -> PointCloud:
    """A scan with ``count`` points: a random part of the points, or repeated points with 2 mm of jitter."""
    rng = np.random.default_rng(0)
    if count <= len(cloud):
        return PointCloud(cloud.points[np.sort(rng.choice(len(cloud), count, replace=False))])
    again = cloud.points[rng.integers(0, len(cloud), count - len(cloud))]
    return PointCloud(np.concatenate([cloud.points, again + 0.002 * rng.standard_normal(again.shape)]))


def run_stages(cloud: PointCloud, config: FitConfig, device: str, timed: Stages) -> None:
    """Times the whole preparation, then each part alone."""
    prepared = timed("prepare_scan", prepare_scan, cloud, config)
    resolved = resolve_for(prepared, config, device)
    timed("sampler with near pool", Sampler, prepared.training, resolved.sampling, device, torch.float32, 1)
    points = timed("- points to the device", lambda: torch.tensor(cloud.points, device=device))
    transform = timed("- scene box", fit_transform, points)
    inside = timed("- points in the box", transform.contains, points)
    timed("- select", cloud.select, inside)
    points = points[torch.as_tensor(inside, device=device)]
    index = timed("- neighbours: build", point_index, points)
    timed("- neighbours: 17 of every point", index.query, points, 17)
    geometry = timed("- local geometry (with neighbours)", measure_local_geometry, points)
    timed("- outliers", find_outliers, points, geometry)
    cell = timed("- orientation: cell", grid_cell, points, geometry.spacing)
    grid = timed("- orientation: voxels", occupancy, points, cell)
    p, n = timed("- orientation: surfels", surfels, points, cell)
    timed("- orientation: rays", free_paths, grid, p, n)
    oriented = timed("- orientation (all)", orient, geometry.index, geometry.normals, geometry.spacing, geometry.noise)
    normals = oriented.sign[:, None] * geometry.normals
    arguments = (
        points,
        normals,
        geometry.spacing,
        geometry.nearest,
        geometry.noises,
        smoothing_rounds(config, geometry),
    )
    smooth, normals = timed("- smoothing", smooth_points, *arguments)
    known = (geometry.index, geometry.noises, config.prepare.plane_neighbours)
    timed("- flattening", snap_to_planes, points, smooth, normals, *known)


def check(cloud: PointCloud, config: FitConfig, device: str) -> None:
    """Prints the differences between the results of the device and those of the CPU."""
    inside = fit_transform(cloud.points).contains(cloud.points)
    points = cloud.points[inside]
    on_cpu, on_device = torch.from_numpy(points), torch.tensor(points, device=device)
    chosen = np.random.default_rng(0).choice(len(points), min(SUBSET, len(points)), replace=False)
    nearby = points[chosen] + 0.01 * np.random.default_rng(1).standard_normal((len(chosen), 3))
    index, tree = point_index(on_device), KDTree(points)
    for name, queries in (("own points", points[chosen]), ("positions nearby", nearby)):
        distance, nearest = (t.cpu().numpy() for t in index.query(torch.tensor(queries, device=device), 17))
        expected, same = tree.query(queries, 17)
        worst, equal = np.abs(distance - expected).max(), (nearest == same).mean()
        typer.echo(
            f"neighbours of {name}: distances differ by {worst:.2e} m at most, {equal:.6f} of the indices are equal"
        )
    one, other = measure_local_geometry(on_cpu), measure_local_geometry(on_device)
    cosine = (one.normals * other.normals.cpu()).sum(1).abs()
    typer.echo(
        f"normals: smallest |cosine| {cosine.min():.6f}, {(cosine > 1 - 1e-9).double().mean():.6f} within 1e-9 of 1"
    )
    typer.echo(f"spacing: {(other.spacing.cpu() / one.spacing - 1).abs().max():.2e} at most, relative")
    signs = [orient(point_index(p), one.normals.to(p.device), one.spacing.to(p.device)) for p in (on_cpu, on_device)]
    equal = (signs[0].sign == signs[1].sign.cpu()).double().mean()
    apart = (signs[0].confidence - signs[1].confidence.cpu()).abs()
    typer.echo(f"orientation: {equal:.6f} of the signs are equal, confidence differs by {apart.mean():.2e} in the mean")
    normals = signs[0].sign[:, None] * one.normals
    arguments = (one.spacing, one.nearest, one.noises, smoothing_rounds(config, one))
    moved = smooth_points(on_cpu, normals, *arguments)[0]
    moved_on_device = smooth_points(
        on_device, normals.to(device), *(values.to(device) for values in arguments[:3]), arguments[3]
    )
    typer.echo(f"smoothing: points differ by {(moved - moved_on_device[0].cpu()).norm(dim=1).max():.2e} m at most")


def main(
    scan: Annotated[list[Path] | None, typer.Option(help="a scan to read; may be given several times")] = None,
    points: Annotated[int | None, typer.Option(help="change each scan to this number of points")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cuda" if torch.cuda.is_available() else "cpu",
    repeats: Annotated[int, typer.Option(help="runs per scan")] = 3,
    compare: Annotated[bool, typer.Option("--check", help="also compare the results with those of the CPU")] = False,
) -> None:
    """Times the stages of every scan."""
    scans = {path.name: read_point_cloud(path) for path in scan or ()}
    scans = scans or {
        "room": box_scan(600_000, (6.0, 5.0, 3.0)),
        "apartment": box_scan(3_000_000, (14.0, 10.0, 2.7)),
    }
    config = load_config(None, (), ["prepare.orientation=paths"], device=device)
    torch.ones(8, device=device).sqrt()
    rows = Rows(None, COLUMNS, environment(device))
    for name, cloud in scans.items():
        chosen = resized(cloud, points) if points else cloud
        timed = Stages(rows, name, len(chosen), device)
        for run in range(repeats):
            timed.run = run
            run_stages(chosen, config, device, timed)
        if compare:
            check(chosen, config, device)


if __name__ == "__main__":
    typer.run(main)
