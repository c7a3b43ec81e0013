# SPDX-License-Identifier: MIT
"""The web server. The only place that imports viser, which is optional."""

import contextlib
import io
import socket
from types import ModuleType
from typing import Any, TypeAlias

from fastsdf.errors import InputError
from fastsdf.system.optional_import import needed_for

Server: TypeAlias = Any  # viser's ViserServer
ANY_PORT = 0
LAST_PORT = 65535


def load_viser() -> ModuleType:
    """The module ``viser``, imported on the first call.

    Raises:
        InputError: if it is not installed.
    """
    with needed_for("the viewer needs viser", "pip install viser fast-simplification"):
        import viser
    return viser


def open_server(host: str, port: int) -> Server:
    """A server that browsers can connect to; it works in threads of its own until `close_server`.

    Args:
        host: address to listen at; 127.0.0.1 lets in only this machine.
        port: number of the port; 0 takes any free one.

    Raises:
        InputError: if viser is missing, or the address cannot be had.
    """
    viser = load_viser()
    check_address(host, port)
    with contextlib.redirect_stdout(io.StringIO()):  # the banner
        server = viser.ViserServer(host=host, port=port, label="fastsdf", verbose=False)
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    return server


def close_server(server: Server) -> None:
    """Ends a server; browsers say that they lost it."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def check_address(host: str, port: int) -> None:
    """Raises InputError if nobody can listen at an address (viser would try others)."""
    if not ANY_PORT <= port <= LAST_PORT:
        raise InputError(f"--port is {port}; give a number from 1 to {LAST_PORT}, or 0 for any free port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot listen at {host} port {port} ({reason}); give another --port or --host") from error


def address_of(server: Server) -> str:
    """The address that a browser on this machine opens."""
    host = server.get_host()
    name = "localhost" if host in ("0.0.0.0", "127.0.0.1", "::", "::1") else host
    return f"http://{name}:{server.get_port()}"
