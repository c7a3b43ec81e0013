# SPDX-License-Identifier: MIT
"""Regions that a scan misses: balls about places of the visible surface, in which it has no points."""

from typing import NamedTuple

import numpy as np

from fastsdf.synthetic.scanner import visible_samples
from fastsdf.synthetic.scene import Scene

_RADII_M = (0.15, 0.4)


class Gaps(NamedTuple):
    """Balls without points: centres (k, 3) and radii (k,), metres."""

    centres: np.ndarray
    radii: np.ndarray

    def hold(self, points: np.ndarray) -> np.ndarray:
        """(n,) True for the points (n, 3) that lie in one of the balls."""
        held = np.zeros(len(points), bool)
        for centre, radius in zip(self.centres, self.radii, strict=True):
            held |= ((points - centre) ** 2).sum(axis=1) < radius**2
        return held


def random_gaps(scene: Scene, count: int, seed: int = 0) -> Gaps:
    """``count`` balls of 15 to 40 cm about random places of the visible surface; equal seeds give equal balls."""
    if count == 0:
        return Gaps(np.empty((0, 3)), np.empty(0))
    rng = np.random.default_rng([seed, 8])
    places = visible_samples(scene, 50 * count, seed)[:, :3]
    return Gaps(places[rng.choice(len(places), count, replace=False)], rng.uniform(*_RADII_M, count))
