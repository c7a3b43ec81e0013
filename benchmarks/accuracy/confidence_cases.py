# SPDX-License-Identifier: MIT
"""Synthetic scans for training the confidence network; each number gives another scene and another scanner.

No scene occurs in the accuracy benchmark, because that uses seeds below 1000.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy.scanners import KINDS, as_seen
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.synthetic import SCENES, Case, CaseSettings, make_case
from fastsdf.synthetic.gaps import Gaps, random_gaps

FIRST_SEED = 1000  # above all seeds of the accuracy benchmark
# Values that the training cases draw from; chosen by hand, not swept.
POINTS = {"room": 150_000, "apartment": 400_000, "corridor": 300_000, "staircase": 150_000}
DENSITIES = (0.4, 0.7, 1.0, 1.6)
NOISE_M = (0.001, 0.002, 0.003, 0.003, 0.006, 0.01)
OUTLIERS = (0.0, 0.005, 0.02, 0.04)
MISSING = (0, 0, 8, 20)
KIND_EVERY = 3  # one case in three is a scanner of `scanners.KINDS`


class TrainingCase(NamedTuple):
    """A scan with its exact surface, the scanner positions (k, 3), and the regions without points."""

    cloud: PointCloud
    surface: TriangleMesh
    stations: np.ndarray
    gaps: Gaps


def training_case(number: int) -> TrainingCase:
    """The case with a number; every third one is a room seen by a scanner of `scanners.KINDS`.

    About half of the other scans keep the sensor position of each point. The same number always gives the same scan.
    """
    if number % KIND_EVERY == KIND_EVERY - 1:
        return _of_kind(number)
    rng = np.random.default_rng([number, 7])
    scene = list(SCENES)[(number - number // KIND_EVERY) % len(SCENES)]
    points = int(POINTS[scene] * rng.choice(DENSITIES))
    settings = CaseSettings(
        scene,
        FIRST_SEED + number,
        points,
        float(rng.choice(NOISE_M)),
        float(rng.choice(OUTLIERS)),
        missing=int(rng.choice(MISSING)),
        truth_samples=1000,
    )
    case = make_case(settings)
    return _with_truth(case, case.cloud if rng.random() < 0.5 else replace(case.cloud, sensors=None))


def _with_truth(case: Case, cloud: PointCloud) -> TrainingCase:
    settings, scene = case.settings, case.scene
    return TrainingCase(cloud, scene.mesh, scene.stations, random_gaps(scene, settings.missing, settings.seed))


def _of_kind(number: int) -> TrainingCase:
    kind = list(KINDS.values())[number // KIND_EVERY % len(KINDS)]
    settings = CaseSettings(
        "room",
        FIRST_SEED + number,
        kind.points,
        0.0,
        kind.outliers,
        stations=kind.stations,
        missing=kind.missing,
        truth_samples=1000,
    )
    case = make_case(settings)
    return _with_truth(case, as_seen(case.cloud, kind, FIRST_SEED + number))
