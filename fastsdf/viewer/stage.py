# SPDX-License-Identifier: MIT
"""The things that stand in the browser's scene: points, a mesh, sections, and the camera."""

from typing import Any

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.viewer.glb import mesh_glb
from fastsdf.viewer.light import before_tone_mapping
from fastsdf.viewer.places import Place, field_of_view
from fastsdf.viewer.planes import Plane
from fastsdf.viewer.server import Server

POINT_SHARE = 0.4
NEAR_SHARE, FAR_SHARE = 2e-4, 20.0
BACKGROUND_COLOR = (237, 242, 247)
AXES = ("x", "y", "z")


class Stage:
    """The scene of a server.

    Args:
        server: where it is shown.
        offset_m: (3,) what is taken from all world coordinates.
    """

    def __init__(self, server: Server, offset_m: np.ndarray):
        self._server, self._offset_m = server, offset_m
        self._parts: dict[str, Any] = {}
        self._hidden: set[str] = set()
        server.scene.configure_default_lights(enabled=False)
        server.scene.configure_environment_map(None)
        server.scene.set_background_image(np.full((2, 2, 3), BACKGROUND_COLOR, dtype=np.uint8), format="png")
        server.gui.main_panel.dock_right()

    def show_points(self, points_m: np.ndarray, colors: np.ndarray, size_m: float) -> None:
        """Points (n, 3) in the world with colours (n, 3) uint8, drawn as squares of a size."""
        self._parts["scan"] = self._server.scene.add_point_cloud(
            "/scan",
            self._local(points_m),
            colors,
            point_size=size_m,
            point_shading="flat",
            precision="float32",
            visible="scan" not in self._hidden,
        )

    def show_mesh(self, mesh: TriangleMesh, colors: np.ndarray, two_sided: bool = False) -> None:
        """A mesh of the world in colours (v, 3) uint8."""
        data = mesh_glb(self._local(mesh.vertices), mesh.faces, before_tone_mapping(colors), two_sided)
        visible = "mesh" not in self._hidden
        self._parts["mesh"] = self._server.scene.add_glb("/mesh", data, cast_shadow=False, visible=visible)

    def show_plane(self, axis: int, plane: Plane) -> None:
        """A section across an axis, in the place of the last one."""
        self._parts[AXES[axis]] = self._server.scene.add_image(
            f"/section {AXES[axis]}",
            plane.pixels,
            plane.width,
            plane.height,
            format="png",
            wxyz=plane.turn,
            position=self._local(plane.middle[None])[0],
            cast_shadow=False,
            receive_shadow=False,
        )

    def drop(self, part: str) -> None:
        """Takes a part away, if it is there: ``scan``, ``mesh``, or ``x``, ``y``, ``z`` for the section across it."""
        handle = self._parts.pop(part, None)
        if handle is not None:
            handle.remove()

    def set_visible(self, part: str, visible: bool) -> None:
        """Shows or hides a part, also as it will come."""
        (self._hidden.discard if visible else self._hidden.add)(part)
        if part in self._parts:
            self._parts[part].visible = visible

    def resize_points(self, size_m: float) -> None:
        """Draws the points in another size."""
        if "scan" in self._parts:
            self._parts["scan"].point_size = size_m

    def start_at(self, place: Place, extent_m: float) -> None:
        """Where the cameras of new browsers start; ``extent_m`` is the size of the scene."""
        self._server.scene.set_up_direction(place.up)
        camera = self._server.initial_camera
        camera.near, camera.far = NEAR_SHARE * extent_m, FAR_SHARE * extent_m
        camera.fov, camera.up = field_of_view(), place.up
        camera.position, camera.look_at = (self._local(p[None])[0] for p in (place.eye, place.target))

    def move(self, client: Any, place: Place) -> None:
        """Moves the camera of one browser."""
        eye, target = (self._local(p[None])[0] for p in (place.eye, place.target))
        with client.atomic():
            client.camera.up_direction = place.up
            client.camera.position = eye
            client.camera.look_at = target

    def _local(self, points_m: np.ndarray) -> np.ndarray:
        return (points_m - self._offset_m).astype(np.float32)


def point_size_m(spacing_m: float) -> float:
    """A size at which points of a spacing cover some of the surface, and leave some to see through."""
    return POINT_SHARE * spacing_m
