# SPDX-License-Identifier: MIT
"""The camera positions offered by the viewer: those of the report's pictures, and one above the scene."""

import math
from typing import NamedTuple

import numpy as np

from fastsdf.errors import MeshingError
from fastsdf.rendering.camera import Camera, look_along
from fastsdf.rendering.scene import Scene
from fastsdf.rendering.viewpoints import FOV, UP, cameras_in_air, free_distances, overhead_camera

MARGIN = 0.15  # of the longest side, around the scene in the view from above; chosen by eye
TARGET_SHARE = 0.6  # of the free distance ahead, at which a camera inside has its target; chosen by eye
MIN_TARGET_SHARE = 0.02  # of the scene's diagonal; smallest distance of a target; chosen, not swept


class CameraPosition(NamedTuple):
    """A camera position in world coordinates.

    Attributes:
        name: label of its button.
        eye: (3,) position.
        target: (3,) point that the camera looks at, and that it orbits when dragged.
        up: (3,) unit vector.
    """

    name: str
    eye: np.ndarray
    target: np.ndarray
    up: np.ndarray


def field_of_view() -> float:
    """Vertical field of view of all camera positions, radians; the same as in the report's pictures from inside."""
    camera = look_along(np.zeros(3), np.array([1.0, 0.0, 0.0]), UP, FOV)
    return 2 * math.atan(camera.height / (2 * camera.focal))


def camera_positions(scene: Scene) -> list[CameraPosition]:
    """The camera positions for a scene, initial one first; only the one above if there is no air at eye level."""
    low, high = scene.camera_box if scene.target is None else (scene.points.min(0), scene.points.max(0))
    margin = MARGIN * (high - low).max()
    above = overhead_camera(low - margin, high + margin, FOV)
    depth = float((above.to_camera((low + high)[None] / 2))[0, 2])
    try:
        cameras = cameras_in_air(scene.clearance, *scene.camera_box, scene.mesh, scene.target)
    except MeshingError:
        cameras = []
    side = "inside" if scene.target is None else "outside"
    found = [_position(f"{side} {i}", c, _target_depth(scene, c), scene) for i, c in enumerate(cameras, 1)]
    return [*found, _position("from above", above, depth, scene)]


def _target_depth(scene: Scene, camera: Camera) -> float:
    """Distance of a camera's target: the object's centre, or in a room a point before the surface ahead."""
    if scene.target is not None:
        return float(np.linalg.norm(scene.target - camera.eye))
    diagonal = float(np.linalg.norm(scene.box.upper - scene.box.lower))
    ahead = free_distances(scene.clearance, camera.eye, camera.axes[2:], diagonal)[0]
    return max(TARGET_SHARE * float(ahead), MIN_TARGET_SHARE * diagonal)


def _position(name: str, camera: Camera, depth: float, scene: Scene) -> CameraPosition:
    """A camera of the z-up frame in world coordinates, with its target at the given depth."""
    eye, target = camera.eye, camera.eye + depth * camera.axes[2]
    return CameraPosition(name, eye @ scene.axes, target @ scene.axes, scene.axes[2])
