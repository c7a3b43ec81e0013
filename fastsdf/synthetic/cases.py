# SPDX-License-Identifier: MIT
"""Benchmark cases: a scene, its scan and its ground truth, and a folder of files for other programs."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud
from fastsdf.io import write_mesh, write_point_cloud
from fastsdf.synthetic.corridor import corridor
from fastsdf.synthetic.gaps import random_gaps
from fastsdf.synthetic.room import apartment, furnished_room
from fastsdf.synthetic.scanner import scan
from fastsdf.synthetic.scene import Scene
from fastsdf.synthetic.staircase import staircase
from fastsdf.synthetic.truth import Truth, visible_truth

TRUTH_SAMPLES = 200_000  # chosen: dense enough for recall at 1 cm in a room, not swept


def _room(seed: int, stations: int | None) -> Scene:
    return furnished_room(seed, stations=stations or 4)


def _apartment(seed: int, stations: int | None) -> Scene:
    return apartment(seed, columns=2, rows=2, stations=stations)


def _corridor(seed: int, stations: int | None) -> Scene:
    return corridor(seed, stations=stations or 1)


def _staircase(seed: int, stations: int | None) -> Scene:
    return staircase(seed, stations=stations or 1)


# By the name that ``--scene`` takes.
SCENES: dict[str, Callable[[int, int | None], Scene]] = {
    "room": _room,
    "apartment": _apartment,
    "corridor": _corridor,
    "staircase": _staircase,
}


@dataclass(frozen=True)
class CaseSettings:
    """Settings of a case.

    Attributes:
        scene: a key of ``SCENES``.
        seed: random seed of the scene, its scan and its ground truth.
        points: number of scan points, before those in missing regions are removed.
        range_noise_m: standard deviation of the noise along the ray, metres.
        outliers: share of the rays, 0 to 1, with a wrong range.
        mixed_pixels: whether 3 in 10 rays at depth edges return a range between the two depths.
        stations: sensor positions per room, per 6 m of corridor or per landing; None: chosen by the scene.
        missing: number of balls of 15 to 40 cm radius without points.
        truth_samples: number of samples of the visible surface, before those in missing regions are removed.
    """

    scene: str
    seed: int = 0
    points: int = 300_000
    range_noise_m: float = 0.003
    outliers: float = 0.02
    mixed_pixels: bool = True
    stations: int | None = None
    missing: int = 0
    truth_samples: int = TRUTH_SAMPLES


@dataclass(frozen=True)
class Case:
    """A scanned scene with its ground truth.

    Attributes:
        settings: settings of the case.
        scene: exact surface and sensor positions.
        cloud: scan points with ``sensors``.
        truth: samples of the surface that is visible to the scan.
        missed: samples in the missing regions; may be empty.
    """

    settings: CaseSettings
    scene: Scene
    cloud: PointCloud
    truth: Truth
    missed: Truth


def make_case(settings: CaseSettings) -> Case:
    """Build and scan a scene; equal settings give equal cases.

    Raises:
        InputError: the scene is unknown or a value is out of range.
    """
    if settings.scene not in SCENES:
        raise InputError(f"unknown scene '{settings.scene}'; give one of {', '.join(SCENES)}")
    if settings.missing < 0 or settings.truth_samples < 1 or (settings.stations is not None and settings.stations < 1):
        raise InputError(f"{settings}: a count is out of range")
    seed = settings.seed
    scene = SCENES[settings.scene](seed, settings.stations)
    cloud = scan(
        scene,
        points=settings.points,
        range_noise_m=settings.range_noise_m,
        outliers=settings.outliers,
        mixed_pixels=settings.mixed_pixels,
        seed=seed,
    )
    truth, gaps = visible_truth(scene, settings.truth_samples, seed), random_gaps(scene, settings.missing, seed)
    missed = gaps.contains(truth.points)
    return Case(
        settings, scene, cloud.select(~gaps.contains(cloud.points)), truth.select(~missed), truth.select(missed)
    )


def write_case(case: Case, folder: Path) -> list[Path]:
    """Write the files of a case.

    - scan.ply: the points; scan_sensors.ply: the points with their sensor positions
    - truth.ply: the exact surface
    - visible.ply: samples of the visible surface with normals and the flags ``thin`` and ``planar``
    - missed.ply: the same for the missing regions, if there are any
    - case.json: the settings and the sensor positions

    Args:
        case: the case.
        folder: folder for the files; it is created if it does not exist.

    Returns:
        The paths of the files.

    Raises:
        InputError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("scan.ply", "scan_sensors.ply", "truth.ply", "visible.ply", "missed.ply", "case.json")
    plain, sensors, truth, visible, missed, facts = (folder / name for name in names)
    write_point_cloud(replace(case.cloud, sensors=None), plain)
    write_point_cloud(case.cloud, sensors)
    write_mesh(case.scene.mesh, truth)
    written = [plain, sensors, truth, visible, facts]
    _write_truth(case.truth, visible)
    if len(case.missed.points):
        _write_truth(case.missed, missed)
        written.append(missed)
    values = {**asdict(case.settings), "stations_m": case.scene.stations.tolist(), "kept_points": len(case.cloud)}
    facts.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8", newline="\n")
    return written


def _write_truth(truth: Truth, path: Path) -> None:
    flags = {"thin": truth.thin.astype(np.uint8), "planar": truth.planar.astype(np.uint8)}
    write_point_cloud(PointCloud(truth.points, truth.normals), path, flags)
