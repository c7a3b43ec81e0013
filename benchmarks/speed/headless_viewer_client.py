# SPDX-License-Identifier: MIT
"""A client of the viewer that takes in what it is sent and draws nothing."""

import sys
import threading
from importlib.metadata import version

import msgspec
import typer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CAMERA = {  # what a browser sends first, and what makes it count
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


class Onlooker:
    """Looks from its making to `leave`; ``received`` holds the size of each message in bytes."""

    def __init__(self, port: int):
        protocol = f"viser-v{version('viser')}"
        self._connection = connect(f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None)  # type: ignore
        self._connection.send(msgspec.msgpack.encode(CAMERA))
        self.received: list[int] = []
        self._thread = threading.Thread(target=self._take_in, daemon=True)
        self._thread.start()

    def _take_in(self) -> None:
        try:
            for message in self._connection:
                self.received.append(len(message))
        except ConnectionClosed:
            pass

    def wait(self) -> None:
        """Returns when the server has gone."""
        self._thread.join()

    def leave(self) -> None:
        """Closes the connection."""
        self._connection.close()
        self._thread.join(timeout=5)


if __name__ == "__main__":
    onlooker = Onlooker(int(sys.argv[1]))
    onlooker.wait()
    typer.echo(f"{len(onlooker.received)} messages, {sum(onlooker.received) / 1e6:.1f} MB")
