# SPDX-License-Identifier: MIT
"""Writes synthetic scans that imitate several kinds of scanners, with the exact surface, for measuring presets.

    python -m benchmarks.accuracy.scanners handheld-slam -o runs/kinds/handheld-slam

Every kind starts from exact rays and adds its own errors: noise that grows with the range, drift between sweeps, a
maximum range, outliers, and regions without returns.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fastsdf.geometry import PointCloud
from fastsdf.io import write_point_cloud
from fastsdf.synthetic import CaseSettings, make_case, write_case


@dataclass(frozen=True)
class Kind:
    """The errors of one kind of scanner.

    Attributes:
        stations: number of sensor positions; each makes one sweep.
        points: number of points before those beyond the maximum range are removed.
        noise_m: constant part of the standard deviation of the range, metres.
        noise_per_m2: part of that standard deviation that grows with the squared range, metres per square metre.
        drift_m: standard deviation of the displacement of each sweep along each axis, metres.
        drift_deg: standard deviation of the rotation of each sweep about each axis, degrees.
        max_range_m: surfaces farther away give no points, metres.
        outliers: share of the rays with a wrong range, 0 to 1.
        missing: number of regions of 15 to 40 cm without points, as glass, dark or blank surfaces leave.
        sensors: whether the file contains the sensor position of each point.
    """

    stations: int
    points: int
    noise_m: float
    noise_per_m2: float = 0.0
    drift_m: float = 0.0
    drift_deg: float = 0.0
    max_range_m: float = 100.0
    outliers: float = 0.005
    missing: int = 0
    sensors: bool = True


# Chosen by hand to show the errors that each preset is made for, not fitted to real scans.
KINDS = {
    "terrestrial-lidar": Kind(stations=2, points=150_000, noise_m=0.002, missing=6),
    "handheld-slam": Kind(16, 150_000, 0.01, drift_m=0.01, drift_deg=0.15, outliers=0.01, sensors=False),
    "phone-lidar": Kind(16, 60_000, 0.006, 0.001, 0.01, 0.15, max_range_m=5.0, outliers=0.01, sensors=False),
    "rgb-d": Kind(16, 150_000, 0.001, 0.0015, 0.004, 0.1, max_range_m=5.0, outliers=0.01),
    "photogrammetry": Kind(16, 150_000, 0.002, 0.001, outliers=0.04, missing=40, sensors=False),
}


def as_seen(cloud: PointCloud, kind: Kind, seed: int) -> PointCloud:
    """Adds the errors of a kind of scanner to exact points, which must have ``sensors``."""
    assert cloud.sensors is not None
    rng = np.random.default_rng([seed, 11])
    rays = cloud.points - cloud.sensors
    ranges = np.linalg.norm(rays, axis=1)
    noise = (kind.noise_m + kind.noise_per_m2 * ranges**2) * rng.standard_normal(len(ranges))
    points = cloud.sensors + rays * (1.0 + noise / np.maximum(ranges, 1e-6))[:, None]
    stations, sweep = np.unique(cloud.sensors, axis=0, return_inverse=True)
    shift = kind.drift_m * rng.standard_normal((len(stations), 3))
    turn = np.radians(kind.drift_deg) * rng.standard_normal((len(stations), 3))
    points += shift[sweep] + np.cross(turn[sweep], points - stations[sweep])
    seen = ranges <= kind.max_range_m
    return PointCloud(points[seen], sensors=cloud.sensors[seen] if kind.sensors else None)


def write_kind(name: str, folder: Path, seed: int = 0) -> Path:
    """Writes as_seen.ply, truth.ply and visible.ply for a kind, unless they exist; returns the path of the scan."""
    kind, path = KINDS[name], folder / "as_seen.ply"
    if path.is_file():
        return path
    case = make_case(CaseSettings("room", seed, kind.points, 0.0, kind.outliers, True, kind.stations, kind.missing))
    write_case(case, folder)
    write_point_cloud(as_seen(case.cloud, kind, seed), path)
    (folder / "kind.json").write_text(json.dumps(asdict(kind), indent=1) + "\n")
    return path


def main(kind: str, out: Annotated[Path, typer.Option("-o", "--out")], seed: int = 0) -> None:
    """Writes a scan by the scanner KIND and the exact surface."""
    typer.echo(write_kind(kind, out, seed))


if __name__ == "__main__":
    typer.run(main)
