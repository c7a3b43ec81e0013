# SPDX-License-Identifier: MIT
"""The objects of the browser's scene: points, a mesh, sections and the camera."""

from typing import Any

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.viewer.camera_positions import CameraPosition, field_of_view
from fastsdf.viewer.glb import mesh_glb
from fastsdf.viewer.light import before_tone_mapping
from fastsdf.viewer.planes import Plane
from fastsdf.viewer.server import Server

POINT_SHARE = 0.4  # size of a drawn point in point spacings; chosen by eye
NEAR_SHARE, FAR_SHARE = 2e-4, 20.0  # near and far plane in sizes of the scene; chosen, not swept
BACKGROUND_COLOR = (237, 242, 247)  # uint8 sRGB; as in the report
# Names of the axes of sections, as in the menus.
AXES = ("x", "y", "z")


class Stage:
    """The scene that a server shows.

    Args:
        server: the server.
        offset_m: (3,) offset subtracted from all world coordinates.
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
        """Show world points (n, 3) with colours (n, 3) uint8 as squares of edge ``size_m``."""
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
        """Show a mesh in world coordinates with vertex colours (v, 3) uint8."""
        data = mesh_glb(self._local(mesh.vertices), mesh.faces, before_tone_mapping(colors), two_sided)
        visible = "mesh" not in self._hidden
        self._parts["mesh"] = self._server.scene.add_glb("/mesh", data, cast_shadow=False, visible=visible)

    def show_plane(self, axis: int, plane: Plane) -> None:
        """Show a section perpendicular to an axis; it replaces the previous section of this axis."""
        self._parts[AXES[axis]] = self._server.scene.add_image(
            f"/section {AXES[axis]}",
            plane.pixels,
            plane.width,
            plane.height,
            format="png",
            wxyz=plane.rotation,
            position=self._local(plane.center[None])[0],
            cast_shadow=False,
            receive_shadow=False,
        )

    def remove(self, part: str) -> None:
        """Remove an object if it is shown: ``scan``, ``mesh``, or the section of the axis ``x``, ``y`` or ``z``."""
        handle = self._parts.pop(part, None)
        if handle is not None:
            handle.remove()

    def set_visible(self, part: str, visible: bool) -> None:
        """Show or hide an object; this also applies to later versions of it."""
        (self._hidden.discard if visible else self._hidden.add)(part)
        if part in self._parts:
            self._parts[part].visible = visible

    def resize_points(self, size_m: float) -> None:
        """Change the size of the points."""
        if "scan" in self._parts:
            self._parts["scan"].point_size = size_m

    def set_initial_camera(self, position: CameraPosition, extent_m: float) -> None:
        """Set the camera of newly connected browsers; ``extent_m`` is the size of the scene."""
        self._server.scene.set_up_direction(position.up)
        camera = self._server.initial_camera
        camera.near, camera.far = NEAR_SHARE * extent_m, FAR_SHARE * extent_m
        camera.fov, camera.up = field_of_view(), position.up
        camera.position, camera.look_at = (self._local(p[None])[0] for p in (position.eye, position.target))

    def move_camera(self, client: Any, position: CameraPosition) -> None:
        """Move the camera of one browser."""
        eye, target = (self._local(p[None])[0] for p in (position.eye, position.target))
        with client.atomic():
            client.camera.up_direction = position.up
            client.camera.position = eye
            client.camera.look_at = target

    def _local(self, points_m: np.ndarray) -> np.ndarray:
        return (points_m - self._offset_m).astype(np.float32)


def point_size_m(spacing_m: float) -> float:
    """Point size for a point spacing, such that the gaps between points let objects behind show through."""
    return POINT_SHARE * spacing_m
