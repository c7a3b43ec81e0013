# SPDX-License-Identifier: MIT
"""A coloured box room with a gap in the floor, for the tests that share one tiny fit."""

from dataclasses import replace

import numpy as np

from fastsdf.geometry import PointCloud
from tests.helpers.cli_runs import SIZE_M, box_room

# RGB of the six sides of the room
PALETTE = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40], [40, 200, 200], [200, 40, 200]])
WRONG_SHARE = 0.05  # of the points are white
GAP_M = (1.7, 2.3)  # x of the strip without points in the floor, metres
SETTINGS = {
    "device": "cpu",
    "training__steps": 90,
    "training__warm_start_steps": 40,
    "training__log_every": 30,
    "training__levels__unlock_end": 0.5,
    "field__num_levels": 6,
    "field__log2_table_size": 14,
    "sampling__near_points": 256,
    "sampling__uniform_points": 256,
}


def side_of(points: np.ndarray) -> np.ndarray:
    """The nearest side of the room (0 to 5) for each point (n, 3)."""
    return np.argmin(np.abs(np.concatenate([points, points - SIZE_M], axis=1)), axis=1)


def coloured_room() -> PointCloud:
    """The box room without a strip of the floor; every side has a colour with noise, and 5% of the points are white."""
    cloud = box_room(4000)
    rng = np.random.default_rng(1)
    colors = PALETTE[side_of(cloud.points)] + rng.normal(0, 8, cloud.points.shape)
    colors[rng.random(len(cloud)) < WRONG_SHARE] = 255
    on_strip = (side_of(cloud.points) == 2) & (cloud.points[:, 0] > GAP_M[0]) & (cloud.points[:, 0] < GAP_M[1])
    return replace(cloud, colors=np.clip(colors, 0, 255).astype(np.uint8)).select(~on_strip)
