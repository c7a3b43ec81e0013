# SPDX-License-Identifier: MIT
"""Controls a headless Chromium over the DevTools protocol: loads pages, clicks and takes screenshots."""

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
TIMEOUT_S = 60.0  # seconds per wait; chosen: software rendering on a busy machine is slow


def find_chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """The only page of a browser."""

    def __init__(self, connection: ClientConnection):
        self._connection, self._numbers = connection, itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the DevTools protocol and returns its result; events are ignored."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=TIMEOUT_S))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                return answer["result"]

    def open(self, address: str) -> None:
        """Loads an address and waits until the document is complete.

        Raises:
            TimeoutError: the page did not load in `TIMEOUT_S`.
        """
        self.call("Page.navigate", url=address)
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            with suppress(RuntimeError):  # raised while the document changes
                if self.run("location.href").startswith(address) and self.run("document.readyState") == "complete":
                    return
            time.sleep(0.1)
        raise TimeoutError(f"{address} did not load within {TIMEOUT_S:g} s")

    def text(self) -> str:
        """The visible text of the page."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def click(self, label: str) -> None:
        """Clicks the element with the text ``label``, or the control that this element labels."""
        script = f"[...document.querySelectorAll('label,button,span')].find(e => e.innerText === {json.dumps(label)})"
        assert self.run(f"(e => e ? (e.click(), true) : false)({script})"), label

    def screenshot(self) -> np.ndarray:
        """The page as an image (height, width, 3) uint8."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        return np.asarray(imageio.imread(BytesIO(base64.b64decode(data)), extension=".png"))[..., :3]

    def wait_for(self, done: Callable[[np.ndarray], bool], seconds: float = TIMEOUT_S) -> np.ndarray:
        """Takes screenshots until one satisfies ``done`` or the time is over; returns the last one."""
        until = time.monotonic() + seconds
        while not done(picture := self.screenshot()) and time.monotonic() < until:
            time.sleep(0.2)
        return picture


@contextmanager
def browser(folder: Path, size: tuple[int, int] = (900, 560)) -> Iterator[Page]:
    """Starts a browser with its profile in ``folder`` and a window of ``size`` pixels; yields its page."""
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
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=TIMEOUT_S) as answer:
        targets = json.load(answer)
    return next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")


def _wait_for_text(path: Path) -> str:
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        if path.is_file() and "\n" in (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise TimeoutError(f"{path} was not created within {TIMEOUT_S:g} s")
