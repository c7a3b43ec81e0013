# SPDX-License-Identifier: MIT
"""Connects to the viewer, receives all messages and draws nothing."""

import sys
import threading
from importlib.metadata import version

import msgspec
import typer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CAMERA = {  # the first message from a browser; viser counts a client as connected after receiving it
    "type": "ViewerCameraMessage",
    "wxyz": (1.0, 0.0, 0.0, 0.0),
    "position": (0.0, 0.0, 0.0),
    "fov": 1.0,
    "near": 0.1,
    "far": 100.0,
    "image_height": 480,
    "image_width": 640,
    "look_at": (0.0, 0.0, 1.0),
    "up_direction": (0.0, 0.0, 1.0),
}


class HeadlessViewerClient:
    """A connection to a viewer on this machine.

    Attributes:
        received: sizes of the messages received so far, bytes.
    """

    def __init__(self, port: int):
        protocol = f"viser-v{version('viser')}"
        self._connection = connect(f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None)  # type: ignore
        self._connection.send(msgspec.msgpack.encode(CAMERA))
        self.received: list[int] = []
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        try:
            for message in self._connection:
                self.received.append(len(message))
        except ConnectionClosed:
            pass

    def wait(self) -> None:
        """Wait until the server closes the connection."""
        self._thread.join()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._thread.join(timeout=5)


if __name__ == "__main__":
    client = HeadlessViewerClient(int(sys.argv[1]))
    client.wait()
    typer.echo(f"{len(client.received)} messages, {sum(client.received) / 1e6:.1f} MB")
