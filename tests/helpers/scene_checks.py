# SPDX-License-Identifier: MIT
"""Checks that every synthetic scene must pass."""

import numpy as np

from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.scene import Scene


def check_stations(scene: Scene) -> None:
    """Stations keep 30 cm from all surfaces, and rays in all directions hit front faces."""
    rays = RayScene(scene.mesh)
    assert (rays.distance(scene.stations) > 0.3).all()
    directions = np.random.default_rng(0).standard_normal((20_000, 3))
    for station in scene.stations:
        hits = rays.cast(station, directions)
        assert (hits.face >= 0).all()
        assert ((hits.normal * directions).sum(axis=1) < 0).mean() > 0.9995
