# SPDX-License-Identifier: MIT
"""Chooses free sensor positions above a floor."""

from typing import NamedTuple

import numpy as np

from fastsdf.errors import InputError
from fastsdf.synthetic.directions import even_directions
from fastsdf.synthetic.raycast import RayScene

# Chosen, like a scanner on a tripod.
_CLEARANCE_M = 0.3  # least distance from every surface
_MARGIN_M = 0.5  # distance from the border of the zone
_HEIGHT_M = (1.25, 1.75)  # above the floor, lowest and highest
_CANDIDATES = 400  # random positions per zone; chosen: enough of them are free in a furnished room


class Zone(NamedTuple):
    """A rectangle of floor for sensor positions: its corner (x, y, z) and its extent along x and y, metres."""

    corner: np.ndarray
    length: float
    width: float


def free_stations(rng: np.random.Generator, rays: RayScene, zone: Zone, count: int) -> np.ndarray:
    """Choose positions in free air that are far apart, by farthest point sampling of random candidates.

    They lie at least 0.5 m inside the zone, 1.25 to 1.75 m above its floor and 0.3 m from every surface.

    Args:
        rng: random generator for the candidates.
        rays: the scene.
        zone: floor below the positions.
        count: number of positions.

    Returns:
        (count, 3).

    Raises:
        InputError: fewer than ``count`` of the candidates are free.
    """
    low = np.array([_MARGIN_M, _MARGIN_M, _HEIGHT_M[0]])
    high = np.array([zone.length - _MARGIN_M, zone.width - _MARGIN_M, _HEIGHT_M[1]])
    candidates = rng.uniform(low, high, (_CANDIDATES, 3)) + zone.corner
    candidates = candidates[rays.distance(candidates) > _CLEARANCE_M]
    free = [p for p in candidates if _in_air(rays, p)]
    if len(free) < count:
        raise InputError(
            f"found {len(free)} free sensor positions, needed {count}: the room is too full; try another seed"
        )
    pool, chosen = np.round(np.stack(free), 3), [0]
    for _ in range(count - 1):
        gaps = np.linalg.norm(pool[:, None, :2] - pool[chosen][None, :, :2], axis=-1).min(axis=1)
        chosen.append(int(gaps.argmax()))
    return pool[chosen]


def _in_air(rays: RayScene, position: np.ndarray) -> bool:
    """Whether every ray from ``position`` first hits the front of a face."""
    directions = even_directions(6.0)[0]
    hits = rays.cast(position, directions)
    return bool(((hits.normal * directions).sum(axis=1) < 0).all())
