# SPDX-License-Identifier: MIT
"""The control panel of a run: visibility, colours, levels, sections and camera positions."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastsdf.errors import FastSDFError
from fastsdf.viewer.camera_positions import CameraPosition
from fastsdf.viewer.coloring import section_legend
from fastsdf.viewer.content import AXES, Content
from fastsdf.viewer.jobs import Jobs
from fastsdf.viewer.server import Server
from fastsdf.viewer.stage import Stage, point_size_m

SLIDER_STEPS = 100  # minimum number of steps of a slider; chosen: fine enough for the mouse
MAX_POINT_FACTOR = 4.0  # largest point size relative to the default; chosen by eye
# Shown while nothing is computed.
READY = "Ready."


class Panel:
    """The controls of a run; the work that they request is submitted to a queue of jobs.

    Args:
        server: server that shows the controls.
        content: the run.
        cameras: camera positions to choose from; the first one is the initial one.
        jobs: queue for the work.
        title: name of the run.
    """

    def __init__(self, server: Server, content: Content, cameras: list[CameraPosition], jobs: Jobs, title: str):
        self._server, self._content, self._jobs = server, content, jobs
        self._stage = Stage(server, content.offset_m)
        box = content.box
        self._stage.set_initial_camera(cameras[0], float(np.linalg.norm(box.upper - box.lower)))
        server.gui.add_markdown(describe(content, title))
        self._state = server.gui.add_markdown(READY)
        self._add_parts()
        self._add_mesh()
        self._add_scan()
        self._add_sections()
        self._add_views(cameras)
        self._submit("mesh", self._draw_mesh)
        self._submit("scan", self._draw_scan)

    def _add_parts(self) -> None:
        gui = self._server.gui
        for part, shown in (("mesh", True), ("scan", False)):
            box = gui.add_checkbox(part.capitalize(), shown)
            self._stage.set_visible(part, shown)
            box.on_update(lambda _, part=part, box=box: self._stage.set_visible(part, box.value))

    def _add_mesh(self) -> None:
        gui, content = self._server.gui, self._content
        with gui.add_folder("Mesh"):
            self._mesh_coloring = gui.add_dropdown("Colours", tuple(content.mesh_colorings))
            self._mesh_legend = gui.add_html("")
            hint = "Fewer levels show a coarse surface of the field's first levels; all levels show the run's mesh."
            self._levels = gui.add_slider("Levels", 1, content.levels, 1, content.levels, hint=hint)
            self._two_sided = gui.add_checkbox("Back faces", False, hint="Off: rooms can be looked into from outside.")
        for control in (self._mesh_coloring, self._levels, self._two_sided):
            control.on_update(lambda _: self._submit("mesh", self._draw_mesh))

    def _add_scan(self) -> None:
        gui, content = self._server.gui, self._content
        default_m = point_size_m(content.fitted.support.median_spacing)
        with gui.add_folder("Scan"):
            self._scan_coloring = gui.add_dropdown("Colours", tuple(content.scan_colorings))
            self._scan_legend = gui.add_html("")
            _, high, step, _ = slider_range(0.0, 1e3 * MAX_POINT_FACTOR * default_m)
            self._size_mm = gui.add_slider("Size [mm]", step, high, step, float(f"{1e3 * default_m:.2g}"))
        self._scan_coloring.on_update(lambda _: self._submit("scan", self._draw_scan))
        self._size_mm.on_update(lambda _: self._stage.resize_points(1e-3 * self._size_mm.value))

    def _add_sections(self) -> None:
        gui, box = self._server.gui, self._content.box
        with gui.add_folder("Sections of the field"):
            gui.add_html(section_legend())
            for axis, name in enumerate(AXES):
                shown = gui.add_checkbox(f"Across {name}", False)
                position = gui.add_slider(f"{name} [m]", *slider_range(box.lower[axis], box.upper[axis]))
                draw = self._section_drawer(axis, shown, position)
                for control in (shown, position):
                    control.on_update(lambda _, axis=axis, draw=draw: self._submit(AXES[axis], draw))

    def _section_drawer(self, axis: int, shown: Any, position: Any) -> Callable[[], None]:
        def draw() -> None:
            if shown.value:
                self._stage.show_plane(axis, self._content.section(axis, float(position.value)))
            else:
                self._stage.remove(AXES[axis])

        return draw

    def _add_views(self, cameras: list[CameraPosition]) -> None:
        by_name = {camera.name: camera for camera in cameras}
        buttons = self._server.gui.add_button_group("View", tuple(by_name))

        @buttons.on_click
        def _(event: Any) -> None:
            if event.client is not None:
                self._stage.move_camera(event.client, by_name[buttons.value])

    def _draw_mesh(self) -> None:
        mesh = self._content.level_mesh(int(self._levels.value))
        coloring = self._content.mesh_coloring(mesh, self._mesh_coloring.value)
        self._mesh_legend.content = coloring.legend
        self._stage.show_mesh(mesh, coloring.colors, bool(self._two_sided.value))

    def _draw_scan(self) -> None:
        coloring = self._content.scan_colorings[self._scan_coloring.value]()
        self._scan_legend.content = coloring.legend
        self._stage.show_points(self._content.points_m, coloring.colors, 1e-3 * self._size_mm.value)

    def _submit(self, name: str, draw: Callable[[], None]) -> None:
        def job() -> None:
            """Draw, and show progress and errors in the panel."""
            self._state.content = "Working …"
            try:
                draw()
            except FastSDFError as error:
                self._state.content = f"**{error}**"
            else:
                self._state.content = READY

        self._jobs.submit(name, job)


def describe(content: Content, title: str) -> str:
    """A markdown summary: how many points and faces are shown, and the offset of the coordinates if there is one."""
    points, faces = len(content.fitted.support.points), len(content.mesh.faces)
    lines = [
        f"**{title}**",
        f"scan: {shown_of_total(len(content.shown), points)} points",
        f"mesh: {shown_of_total(faces, content.faces)} faces",
    ]
    if content.offset_m.any():
        x, y, z = content.offset_m
        lines.append(f"coordinates: world minus ({x:.0f}, {y:.0f}, {z:.0f}) m")
    return "  \n".join(lines)


def slider_range(low: float, high: float) -> tuple[float, float, float, float]:
    """Minimum, maximum, step and centre of a slider that covers a range.

    The step is a power of ten, at most 1% of the range, and the other three values are multiples of it.
    """
    step = 10.0 ** math.floor(math.log10((high - low) / SLIDER_STEPS))
    first, last = math.floor(low / step), math.ceil(high / step)
    digits = max(-round(math.log10(step)), 0)
    start, end, middle = (round(number * step, digits) for number in (first, last, (first + last) // 2))
    return start, end, step, middle


def shown_of_total(shown: int, total: int) -> str:
    """Text such as "500 of 2,000", or only the total if everything is shown."""
    return f"{total:,}" if shown == total else f"{shown:,} of {total:,}"
