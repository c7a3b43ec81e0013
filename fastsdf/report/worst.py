# SPDX-License-Identifier: MIT
"""Finds the locations of the largest errors of a comparison."""

from typing import NamedTuple

import numpy as np

MAX_LOCATIONS = 6  # chosen: keeps the table short
SEPARATION_SHARE = 0.05  # of the mesh's diagonal, the least distance between two locations; chosen, not swept


class ErrorLocation(NamedTuple):
    """A location where two surfaces differ.

    Attributes:
        position: (3,) position of the sample with the largest distance, world units.
        distance: distance of this sample, metres.
        share: share of all samples that lie near this position and beyond the error limit.
    """

    position: np.ndarray
    distance: float
    share: float


def worst_locations(points: np.ndarray, distance: np.ndarray, limit: float, radius: float) -> list[ErrorLocation]:
    """Find the largest errors that lie at least ``radius`` apart.

    Args:
        points: (n, 3) samples.
        distance: (n,) their distances to the other surface, metres.
        limit: samples up to this distance count as correct, metres.
        radius: samples closer than this to a location belong to it, metres.

    Returns:
        At most six locations, largest error first.
    """
    wrong = np.flatnonzero(distance > limit)
    locations: list[ErrorLocation] = []
    while len(wrong) and len(locations) < MAX_LOCATIONS:
        worst = wrong[distance[wrong].argmax()]
        near = ((points[wrong] - points[worst]) ** 2).sum(1) < radius**2
        locations.append(ErrorLocation(points[worst], float(distance[worst]), float(near.sum()) / len(points)))
        wrong = wrong[~near]
    return locations
