# SPDX-License-Identifier: MIT
"""Counts the normals that point into the air on partial views of a room, for two ways to orient them.

    python -m benchmarks.accuracy.partial_views

The two ways are free paths and viewpoints (`fastsdf.prepare.orientation`). A scan of the synthetic room is cut to what
a scanner with a limited field of view sees from one to three of its stations: a sector of azimuths, and elevations
whose sine is below 0.6. Points seen edge-on (cosine below 0.2) are not counted, because the sensor position hardly
tells which side of them is air.
"""

import time
from typing import NamedTuple

import numpy as np
import torch
import typer

from fastsdf.geometry import PointCloud
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.local_geometry import LocalGeometry
from fastsdf.prepare.measure import measure_scan
from fastsdf.prepare.orientation.propagate import Orientation, orient, orient_by_viewpoints
from fastsdf.synthetic import CaseSettings, make_case

MAX_SINE = 0.6  # of the elevation, 37 degrees; chosen, not swept
MIN_COSINE = 0.2  # between ray and normal, 78 degrees; chosen, not swept


class View(NamedTuple):
    """Seed of the room, number of stations, and width of the sector of azimuths in degrees."""

    seed: int
    stations: int
    sector_deg: float


VIEWS = (View(1, 1, 120), View(2, 1, 90), View(3, 2, 120), View(4, 3, 140), View(5, 1, 200), View(6, 1, 60))


def partial_scan(view: View, points: int = 300_000, noise_m: float = 0.006) -> PointCloud:
    """The points of a room that lie in the field of view; each station looks in another direction."""
    cloud = make_case(CaseSettings("room", view.seed, points, noise_m, 0.005, truth_samples=500)).cloud
    assert cloud.sensors is not None
    ray = cloud.points - cloud.sensors
    azimuth, keep = np.degrees(np.arctan2(ray[:, 1], ray[:, 0])), np.zeros(len(ray), bool)
    level = np.abs(ray[:, 2]) < MAX_SINE * np.linalg.norm(ray, axis=1)
    for number, station in enumerate(np.unique(cloud.sensors, axis=0)[: view.stations]):
        from_center = (azimuth - 77 * view.seed - 90 * number + 180) % 360 - 180
        keep |= (cloud.sensors == station).all(1) & (np.abs(from_center) < view.sector_deg / 2) & level
    return cloud.select(keep)


def correct_share(found: Orientation, cloud: PointCloud, geometry: LocalGeometry) -> float:
    """Share of the normals that point towards their sensor."""
    assert cloud.sensors is not None
    toward = torch.from_numpy(cloud.sensors - cloud.points)
    cosine = dot(toward, geometry.normals.cpu()) / toward.norm(dim=1)
    counted = cosine.abs() > MIN_COSINE
    return float((found.sign.cpu() == cosine.sign())[counted].double().mean())


def main(device: str = "cpu") -> None:
    """Prints one line per view."""
    for view in VIEWS:
        measured = measure_scan(partial_scan(view), device)
        geometry, kept = measured.geometry, measured.kept
        paths = orient(geometry.index, geometry.normals, geometry.spacing, geometry.noise)
        start = time.perf_counter()
        views, viewpoints = orient_by_viewpoints(geometry.index, geometry.normals, geometry.spacing, "room")
        seconds = time.perf_counter() - start
        typer.echo(
            f"{view.stations} x {view.sector_deg:g} deg, {len(kept)} points: "
            f"free paths {correct_share(paths, kept, geometry):.4f} correct, {paths.doubtful_share:.3f} in doubt; "
            f"{viewpoints} viewpoints {correct_share(views, kept, geometry):.4f} correct, "
            f"{views.doubtful_share:.3f} in doubt, {seconds:.1f} s"
        )


if __name__ == "__main__":
    typer.run(main)
