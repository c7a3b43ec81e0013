# SPDX-License-Identifier: MIT
"""The worst places of a comparison: the farthest samples that lie apart from each other."""

from typing import NamedTuple

import numpy as np

PLACES = 6
APART_SHARE = 0.05


class Place(NamedTuple):
    """A place where two surfaces differ.

    Attributes:
        position: (3,) of the farthest sample there, world units.
        distance: its distance, metres.
        share: share of all samples that lie around it and beyond a limit.
    """

    position: np.ndarray
    distance: float
    share: float


def worst_places(points: np.ndarray, distance: np.ndarray, limit: float, radius: float) -> list[Place]:
    """At most 6 places beyond a limit, worst first, at least ``radius`` apart.

    Args:
        points: (n, 3) samples.
        distance: (n,) their distances, metres.
        limit: samples up to this count as right, metres.
        radius: samples this close to a place belong to it, metres.
    """
    wrong = np.flatnonzero(distance > limit)
    places: list[Place] = []
    while len(wrong) and len(places) < PLACES:
        worst = wrong[distance[wrong].argmax()]
        near = ((points[wrong] - points[worst]) ** 2).sum(1) < radius**2
        places.append(Place(points[worst], float(distance[worst]), float(near.sum()) / len(points)))
        wrong = wrong[~near]
    return places
