# SPDX-License-Identifier: MIT
"""Ground truth for recall: samples of the visible surface, with flags for thin solids and planar surface."""

from typing import NamedTuple

import numpy as np

from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.scanner import visible_samples
from fastsdf.synthetic.scene import Scene

THIN_M = 0.06  # largest thickness of a thin solid; chosen: boards, doors and table tops are thinner
_RINGS_M = (0.1, 0.075, 0.05, 0.025)  # radii of the rings of test points in the tangent disc; chosen
_SPOKES = 12  # test points per ring; chosen
_LIFT_M = 0.02  # height of the test points above the surface; chosen
_FLAT_M = 1e-4  # tolerated deviation from a plane; above the float32 rounding of the distances


class Truth(NamedTuple):
    """Area-uniform samples of the visible surface of a scene.

    Attributes:
        points: (n, 3) metres.
        normals: (n, 3) unit vectors into the air.
        thin: (n,) bool, True where the solid below is thinner than 6 cm along the normal.
        planar: (n,) bool, True where all surface within 10 cm lies in one plane, with 2 cm of free air above it.
    """

    points: np.ndarray
    normals: np.ndarray
    thin: np.ndarray
    planar: np.ndarray

    def select(self, index: np.ndarray) -> "Truth":
        """The samples of a mask (n,)."""
        return Truth(*(values[index] for values in self))


def visible_truth(scene: Scene, n: int, seed: int = 0) -> Truth:
    """Sample the visible surface of a scene uniformly by area and set its flags.

    Args:
        scene: the scene with its sensor positions.
        n: number of samples.
        seed: random seed.

    Raises:
        InputError: less than about one part in sixty of the surface is visible.
    """
    samples = visible_samples(scene, n, seed)
    points, normals = samples[:, :3], samples[:, 3:]
    rays = RayScene(scene.mesh)
    return Truth(points, normals, thin_points(rays, points, normals), planar_points(rays, points, normals))


def thin_points(rays: RayScene, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n,) True where the solid below a surface point (n, 3) is thinner than 6 cm along its normal."""
    return rays.cast(points - 1e-4 * normals, -normals).range_m < THIN_M


def planar_points(rays: RayScene, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n,) True where the surface within 10 cm of a point (n, 3) is flat to 0.1 mm, with 2 cm of free air above it.

    48 test points of the tangent disc, lifted by 2 cm into the air, must have exactly this distance to the nearest
    surface.
    """
    across = np.cross(normals, np.where(np.abs(normals[:, :1]) < 0.7, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(normals, across)
    kept = np.arange(len(points))
    for radius in _RINGS_M:
        for angle in np.arange(_SPOKES) * 2.0 * np.pi / _SPOKES:
            away = radius * (np.cos(angle) * across[kept] + np.sin(angle) * along[kept])
            gap = rays.distance(points[kept] + away + _LIFT_M * normals[kept])
            kept = kept[np.abs(gap - _LIFT_M) < _FLAT_M]
    planar = np.zeros(len(points), bool)
    planar[kept] = True
    return planar
