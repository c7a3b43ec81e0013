# SPDX-License-Identifier: MIT
"""A synthetic scene: exact ground truth with sensor positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.solids import merged
from fastsdf.synthetic.stations import Zone, free_stations


@dataclass(frozen=True)
class Scene:
    """Exact ground truth with sensor positions.

    Attributes:
        name: "room", "apartment", "corridor" or "staircase".
        seed: random seed of the scene.
        mesh: closed solids in metres, z up, as a triangle soup; normals point into the air. Solids may touch, and may
            overlap slightly.
        stations: (k, 3) sensor positions in free air, at least 0.3 m from every surface.
    """

    name: str
    seed: int
    mesh: TriangleMesh
    stations: np.ndarray


def scene_of(
    name: str,
    seed: int,
    rng: np.random.Generator,
    solids: Sequence[TriangleMesh],
    zones: Sequence[Zone],
    stations: int | None,
) -> Scene:
    """Build a scene from its solids and choose its sensor positions.

    Args:
        name, seed: as in `Scene`.
        rng: random generator for the sensor positions.
        solids: closed solids of the scene.
        zones: floor areas that each get sensor positions.
        stations: sensor positions per zone; None: two or three.

    Raises:
        InputError: a zone has too few free positions.
    """
    mesh = merged(solids)
    rays = RayScene(mesh)
    positions = [free_stations(rng, rays, zone, stations or 2 + int(rng.integers(2))) for zone in zones]
    return Scene(name, seed, mesh, np.concatenate(positions))
