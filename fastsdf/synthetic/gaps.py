# SPDX-License-Identifier: MIT
"""Missing regions of a scan: balls centred on the visible surface, without points."""

from typing import NamedTuple

import numpy as np

from fastsdf.synthetic.scanner import visible_samples
from fastsdf.synthetic.scene import Scene

_RADII_M = (0.15, 0.4)  # smallest and largest; chosen: about the size of objects that hide surface


class Gaps(NamedTuple):
    """Balls without points: centres (k, 3) and radii (k,), metres."""

    centres: np.ndarray
    radii: np.ndarray

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(n,) True for the points (n, 3) that lie in one of the balls."""
        inside = np.zeros(len(points), bool)
        for centre, radius in zip(self.centres, self.radii, strict=True):
            inside |= ((points - centre) ** 2).sum(axis=1) < radius**2
        return inside


def random_gaps(scene: Scene, count: int, seed: int = 0) -> Gaps:
    """``count`` balls of 15 to 40 cm radius around random points of the visible surface; equal seeds, equal balls."""
    if count == 0:
        return Gaps(np.empty((0, 3)), np.empty(0))
    rng = np.random.default_rng([seed, 8])
    points = visible_samples(scene, 50 * count, seed)[:, :3]
    return Gaps(points[rng.choice(len(points), count, replace=False)], rng.uniform(*_RADII_M, count))
