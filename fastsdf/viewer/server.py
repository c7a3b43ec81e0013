# SPDX-License-Identifier: MIT
"""Starts and stops the web server. This is the only module that imports viser, which is optional."""

import contextlib
import io
import socket
from types import ModuleType
from typing import Any, TypeAlias

from fastsdf.errors import InputError
from fastsdf.system.optional_import import needed_for

Server: TypeAlias = Any  # viser's ViserServer
ANY_PORT = 0  # the operating system chooses a free port
MAX_PORT = 65535  # the largest TCP port


def load_viser() -> ModuleType:
    """Import ``viser``.

    Raises:
        InputError: viser is not installed.
    """
    with needed_for("the viewer needs viser", "pip install viser fast-simplification"):
        import viser
    return viser


def open_server(host: str, port: int) -> Server:
    """Start a server that browsers can connect to; it runs in its own threads until `close_server`.

    Args:
        host: address to listen at; 127.0.0.1 admits only browsers on this machine.
        port: TCP port; 0 for any free one.

    Raises:
        InputError: viser is not installed, or the address cannot be used.
    """
    viser = load_viser()
    check_address(host, port)
    with contextlib.redirect_stdout(io.StringIO()):  # hides viser's banner
        server = viser.ViserServer(host=host, port=port, label="fastsdf", verbose=False)
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    return server


def close_server(server: Server) -> None:
    """Stop a server; connected browsers report that the connection is lost."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def check_address(host: str, port: int) -> None:
    """Check that an address can be listened at; viser itself would silently take another port.

    Raises:
        InputError: the address cannot be used.
    """
    if not ANY_PORT <= port <= MAX_PORT:
        raise InputError(f"--port is {port}; give a number from 1 to {MAX_PORT}, or 0 for any free port")
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
    """The URL of the server for a browser on this machine."""
    host = server.get_host()
    name = "localhost" if host in ("0.0.0.0", "127.0.0.1", "::", "::1") else host
    return f"http://{name}:{server.get_port()}"
