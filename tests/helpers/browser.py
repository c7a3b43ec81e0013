# SPDX-License-Identifier: MIT
"""A headless Chromium that loads a page and photographs it, over its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import imageio.v3 as imageio
import numpy as np
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu-sandbox", "--disable-dev-shm-usage"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-extensions"),
    *("--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0", "--mute-audio"),
)
PATIENCE_S = 60.0


def find_chromium() -> str | None:
    """The program, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """The one page of a browser."""

    def __init__(self, connection: ClientConnection):
        self._connection, self._numbers = connection, itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result; events are dropped."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE_S))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                return answer["result"]

    def open(self, address: str) -> None:
        """Loads an address, until its document is there."""
        self.call("Page.navigate", url=address)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(RuntimeError):  # between two documents
                if self.run("location.href").startswith(address) and self.run("document.readyState") == "complete":
                    return
            time.sleep(0.1)
        raise TimeoutError(f"{address} did not load")

    def text(self) -> str:
        """The text that the page shows."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def click(self, label: str) -> None:
        """Clicks the element with this text, or the control that it labels."""
        script = f"[...document.querySelectorAll('label,button,span')].find(e => e.innerText === {json.dumps(label)})"
        assert self.run(f"(e => e ? (e.click(), true) : false)({script})"), label

    def photograph(self) -> np.ndarray:
        """(height, width, 3) uint8 pixels of the page."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        return np.asarray(imageio.imread(BytesIO(base64.b64decode(data)), extension=".png"))[..., :3]

    def wait_for(self, done: Callable[[np.ndarray], bool], seconds: float = PATIENCE_S) -> np.ndarray:
        """Photographs the page until a picture satisfies; the last picture, whether it does or not."""
        until = time.monotonic() + seconds
        while not done(picture := self.photograph()) and time.monotonic() < until:
            time.sleep(0.2)
        return picture


@contextmanager
def browser(folder: Path, size: tuple[int, int] = (900, 560)) -> Iterator[Page]:
    """A browser with its profile in a folder, and a window of a size."""
    program = find_chromium()
    assert program is not None
    arguments = [program, *FLAGS, f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}", "about:blank"]
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = int(_wait_for_text(folder / "DevToolsActivePort").splitlines()[0])
        with connect(_page_address(port), max_size=None) as connection:
            yield Page(connection)
            child.terminate()
    finally:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _page_address(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE_S) as answer:
        targets = json.load(answer)
    return next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")


def _wait_for_text(path: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if path.is_file() and "\n" in (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise TimeoutError(f"{path} did not appear")
