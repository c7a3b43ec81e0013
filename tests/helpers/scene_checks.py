# SPDX-License-Identifier: MIT
"""What every synthetic scene must keep to."""

import numpy as np

from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.scene import Scene


def check_stations(scene: Scene) -> None:
    """Stations stand 30 cm from everything, and rays all around them end on the fronts of faces."""
    rays = RayScene(scene.mesh)
    assert (rays.distance(scene.stations) > 0.3).all()
    directions = np.random.default_rng(0).standard_normal((20_000, 3))
    for station in scene.stations:
        hits = rays.cast(station, directions)
        assert (hits.face >= 0).all()
        assert ((hits.normal * directions).sum(axis=1) < 0).mean() > 0.9995
