# SPDX-License-Identifier: MIT
"""``fastsdf view`` and ``fastsdf fit --view``: shows a run in a browser until Ctrl-C."""

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastsdf.commands import console as ui
from fastsdf.geometry import TriangleMesh
from fastsdf.io import read_mesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.rendering.scene import check_up, make_scene, scan_name
from fastsdf.training.session import Session
from fastsdf.viewer.camera_positions import camera_positions
from fastsdf.viewer.content import make_content
from fastsdf.viewer.growing import GrowingSurface
from fastsdf.viewer.jobs import Jobs
from fastsdf.viewer.panel import Panel
from fastsdf.viewer.server import Server, address_of, close_server, open_server

HOST = "127.0.0.1"  # ``fit --view`` accepts this machine only


def view_run(path: Path, host: str, port: int, up: str = "z", device: str = "auto", show: bool = False) -> None:
    """Shows a run until Ctrl-C.

    Args:
        path: run folder; its mesh file is read, or a mesh is extracted if the file is missing.
        host, port: address to listen on (`fastsdf.viewer.server.open_server`).
        up: axis of the scan that points up.
        device: device that evaluates the field.
        show: whether to open a browser window.

    Raises:
        InputError: before any work if viser is missing, the axis is unknown, or the address cannot be used.
        CheckpointError: if the folder holds no run.
    """
    check_up(up)
    run, console = RunFolder(path), ui.make_console()
    fitted = FittedField.load(path, device)
    server = open_server(host, port)
    try:
        with console.status("preparing the view"):
            mesh = read_mesh(run.mesh) if run.mesh.is_file() else fitted.extract_mesh()
            jobs = fill(server, fitted, mesh, up)
        with suppress(KeyboardInterrupt):
            announce(console, server)
            if show and not webbrowser.open(address_of(server)):
                console.print("no browser could be opened; open the address by hand")
            jobs.run_forever()
    finally:
        close_server(server)


class FitViewer:
    """A viewer of a fit: it shows the surface during training and the run afterwards.

    Args:
        console: where to print.
        server: result of `fastsdf.viewer.server.open_server`.
    """

    def __init__(self, console: Any, server: Server):
        self._console, self._server = console, server
        self._growing: GrowingSurface | None = None

    def growing(self, session: Session) -> GrowingSurface:
        """Shows the scan of a fit; returns the callback that shows its surface whenever the loss is read."""
        self._growing = GrowingSurface(self._server, session)
        return self._growing

    def show(self, fitted: FittedField, mesh: TriangleMesh) -> None:
        """Prints how much time the viewer took, and shows a finished fit until Ctrl-C."""
        if self._growing is not None and fitted.seconds:
            made, share = self._growing.pictures, self._growing.seconds / fitted.seconds
            self._console.print(f"surface shown {made} times during training, in {share:.1%} of its time")
        with suppress(KeyboardInterrupt):  # all files are written, so Ctrl-C only ends the viewer
            with self._console.status("preparing the view"):
                jobs = fill(self._server, fitted, mesh, "z")
            announce(self._console, self._server)
            jobs.run_forever()


@contextmanager
def fit_viewer(console: Any, port: int) -> Iterator[FitViewer]:
    """Opens a viewer for ``fastsdf fit`` on a local port; its server is closed at the end of the block.

    Raises:
        InputError: if viser is missing or the port cannot be used.
    """
    server = open_server(HOST, port)
    announce(console, server)
    try:
        yield FitViewer(console, server)
    finally:
        close_server(server)


def fill(server: Server, fitted: FittedField, mesh: TriangleMesh, up: str) -> Jobs:
    """Replaces the content of a server by a run; the caller has to work off the returned jobs."""
    content, jobs = make_content(fitted, mesh), Jobs()
    cameras = camera_positions(make_scene(fitted, content.mesh, up))
    server.scene.reset()
    server.gui.reset()
    Panel(server, content, cameras, jobs, scan_name(fitted))
    return jobs


def announce(console: Any, server: Server) -> None:
    """Prints the address of the viewer."""
    console.print(f"open {address_of(server)} in a browser; Ctrl-C ends")
