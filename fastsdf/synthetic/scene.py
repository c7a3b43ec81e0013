# SPDX-License-Identifier: MIT
"""A scene: exact ground truth and where it is scanned from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.solids import merged
from fastsdf.synthetic.stations import Zone, free_stations


@dataclass(frozen=True)
class Scene:
    """Exact ground truth and where it is scanned from.

    Attributes:
        name: "room", "apartment", "corridor" or "staircase".
        seed: the seed that made it.
        mesh: soup of closed solids in metres, z up; normals point into the air. Solids may touch and overlap a little.
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
    """The scene of all ``solids``, with ``stations`` sensor positions over each of ``zones`` (None: two or three).

    Raises:
        InputError: a zone has too few free places.
    """
    mesh = merged(solids)
    rays = RayScene(mesh)
    places = [free_stations(rng, rays, zone, stations or 2 + int(rng.integers(2))) for zone in zones]
    return Scene(name, seed, mesh, np.concatenate(places))
