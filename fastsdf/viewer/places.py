# SPDX-License-Identifier: MIT
"""Where the viewer's camera stands: inside a room or around an object, as in the report, and above."""

import math
from typing import NamedTuple

import numpy as np

from fastsdf.errors import MeshingError
from fastsdf.rendering.camera import Camera, look_along
from fastsdf.rendering.scene import Scene
from fastsdf.rendering.viewpoints import FOV, UP, cameras_in_air, free_ways, overhead_camera

ABOVE = "from above"
MARGIN = 0.15
TURN_SHARE = 0.6
NEAREST_TURN = 0.02


class Place(NamedTuple):
    """A camera in world coordinates.

    Attributes:
        name: for its button.
        eye: (3,) where it stands.
        target: (3,) what it looks at, and turns around.
        up: (3,) unit vector.
    """

    name: str
    eye: np.ndarray
    target: np.ndarray
    up: np.ndarray


def field_of_view() -> float:
    """The vertical one of all places, radians; that of the report's pictures inside."""
    camera = look_along(np.zeros(3), np.array([1.0, 0.0, 0.0]), UP, FOV)
    return 2 * math.atan(camera.height / (2 * camera.focal))


def places(scene: Scene) -> list[Place]:
    """Places to look from, the first one to start at; only the one above where no air is found at eye level."""
    low, high = scene.standing if scene.target is None else (scene.points.min(0), scene.points.max(0))
    margin = MARGIN * (high - low).max()
    above = overhead_camera(low - margin, high + margin, FOV)
    depth = float((above.to_camera((low + high)[None] / 2))[0, 2])
    try:
        cameras = cameras_in_air(scene.clear, *scene.standing, scene.mesh, scene.target)
    except MeshingError:
        cameras = []
    side = "inside" if scene.target is None else "outside"
    found = [_place(f"{side} {i}", camera, _turn_depth(scene, camera), scene) for i, camera in enumerate(cameras, 1)]
    return [*found, _place(ABOVE, above, depth, scene)]


def _turn_depth(scene: Scene, camera: Camera) -> float:
    """How far ahead the point lies that a camera turns around: a good part of the way to the surface it looks at."""
    if scene.target is not None:
        return float(np.linalg.norm(scene.target - camera.eye))
    reach = float(np.linalg.norm(scene.box.upper - scene.box.lower))
    way = free_ways(scene.clear, camera.eye, camera.axes[2:], reach)[0]
    return max(TURN_SHARE * float(way), NEAREST_TURN * reach)


def _place(name: str, camera: Camera, depth: float, scene: Scene) -> Place:
    """A camera of the turned frame in the world."""
    eye, target = camera.eye, camera.eye + depth * camera.axes[2]
    return Place(name, eye @ scene.axes, target @ scene.axes, scene.axes[2])
