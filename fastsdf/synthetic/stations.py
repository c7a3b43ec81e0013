# SPDX-License-Identifier: MIT
"""Free places for a scanner on a floor."""

from typing import NamedTuple

import numpy as np

from fastsdf.errors import InputError
from fastsdf.synthetic.directions import even_directions
from fastsdf.synthetic.raycast import RayScene

_CLEARANCE_M = 0.3
_MARGIN_M = 0.5
_HEAD_M = (1.25, 1.75)
_CANDIDATES = 400


class Zone(NamedTuple):
    """A rectangle of floor to stand on: its corner (x, y, z) and its extent along x and y, metres."""

    corner: np.ndarray
    length: float
    width: float


def free_stations(rng: np.random.Generator, rays: RayScene, zone: Zone, count: int) -> np.ndarray:
    """``count`` places (count, 3) in free air, far apart: each next one is the candidate farthest from those chosen.

    They stand 0.5 m inside the zone, 1.25 to 1.75 m above its floor, at least 0.3 m from every surface.

    Raises:
        InputError: fewer than ``count`` of the candidates are free.
    """
    low = np.array([_MARGIN_M, _MARGIN_M, _HEAD_M[0]])
    high = np.array([zone.length - _MARGIN_M, zone.width - _MARGIN_M, _HEAD_M[1]])
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


def _in_air(rays: RayScene, place: np.ndarray) -> bool:
    """True if every ray from ``place`` meets the front of a face first."""
    directions = even_directions(6.0)[0]
    hits = rays.cast(place, directions)
    return bool(((hits.normal * directions).sum(axis=1) < 0).all())
