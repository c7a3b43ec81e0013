# SPDX-License-Identifier: MIT
"""``fastsdf view`` and ``fit --view`` end to end: the page in a browser, error messages, Ctrl-C."""

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.speed.headless_viewer_client import HeadlessViewerClient
from fastsdf.commands.view import fill
from fastsdf.config.loading import load_config
from fastsdf.io import read_point_cloud
from fastsdf.model import FittedField
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training.loop import Progress, train
from fastsdf.training.session import Session, start_fit
from fastsdf.viewer import growing as growing_surface
from fastsdf.viewer.growing import GrowingSurface
from fastsdf.viewer.server import Server, close_server, open_server
from tests.helpers.browser import Page, browser, find_chromium
from tests.helpers.cli_calls import QUICK, call_main
from tests.helpers.cli_runs import box_room, command, write_scan
from tests.helpers.tiny_room import PALETTE

pytest.importorskip("viser")
needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")
CENTRE = slice(100, 460), slice(60, 560)  # rows and columns of the screenshot, left of the panel
MIN_COSINE = 0.985  # between two colours of the same hue; chosen by eye
CLOSE_NOTICE = "document.querySelector('.mantine-Notification-closeButton')?.click()"


@pytest.fixture(scope="module")
def saved(tiny_fit: FittedField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny fit as a run folder without a mesh."""
    folder = tmp_path_factory.mktemp("view")
    tiny_fit.save(folder)
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on any free port."""
    opened = open_server("127.0.0.1", 0)
    yield opened
    close_server(opened)


def started(*arguments: object) -> tuple[subprocess.Popen[str], int]:
    """Start a fastsdf process; returns it with the port that it reports."""
    child = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    found = re.search(r"open http://localhost:(\d+) in a browser", child.stdout.readline())
    if not found:
        child.kill()
        raise AssertionError(child.communicate())
    return child, int(found[1])


def ended(child: subprocess.Popen[str]) -> str:
    """Stop a process by Ctrl-C, check that it ended without errors, and return its output."""
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=120)  # busy machines were seen to take more than 30 s
    assert child.returncode == 0 and errors == "", errors
    return out


def share_like(picture: np.ndarray, colors: np.ndarray) -> float:
    """Share of the pixels in the centre that have the hue of one of the colours (n, 3), regardless of brightness."""
    pixels = picture[CENTRE].reshape(-1, 3).astype(float)
    units = [values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1.0) for values in (pixels, colors)]
    return float(((units[0] @ units[1].T).max(1) > MIN_COSINE).mean())


def is_blank(picture: np.ndarray) -> bool:
    """Whether the centre has a single colour."""
    return bool(picture[CENTRE].reshape(-1, 3).std(0).max() < 1)


@needs_chromium
def test_a_browser_shows_the_mesh_in_the_colours_of_the_scan(saved: Path, tmp_path: Path) -> None:
    child, port = started("view", saved, "--port", 0, "--device", "cpu")
    try:
        with browser(tmp_path) as page:
            page.open(f"http://localhost:{port}")
            picture = page.wait_for(lambda seen: share_like(seen, PALETTE) > 0.8)
            assert not is_blank(picture) and share_like(picture, PALETTE) > 0.8
            colours = [tuple(c) for c in PALETTE if share_like(picture, c[None]) > 0.05]
            assert len(colours) >= 2, colours  # more than one wall
            text = page.text()
            assert "faces" in text and "points" in text and "Sections of the field" in text
            check_controls(page)
    finally:
        out = ended(child)
    assert "viser" not in out


def check_controls(page: Page) -> None:
    """Without the mesh the centre is blank; with a section it is red and blue or white."""
    page.run(CLOSE_NOTICE)
    page.click("Mesh")
    assert is_blank(page.wait_for(is_blank))
    page.click("Across z")
    page.click("from above")

    def has_section(picture: np.ndarray) -> bool:
        red, _, blue = picture[CENTRE].reshape(-1, 3).astype(int).T
        return bool((red - blue > 40).mean() > 0.1)

    assert has_section(page.wait_for(has_section))


def test_all_controls_work_without_a_browser(tiny_fit: FittedField, server: Server) -> None:
    jobs = fill(server, tiny_fit, tiny_fit.extract_mesh(0.1), "z")
    jobs.run_pending()
    names = set(server.scene._handle_from_node_name)
    assert {"/mesh", "/scan"} <= names and not any("section" in name for name in names)
    controls = {(h.label, i): h for i, h in enumerate(server.gui._gui_input_handle_from_uuid.values())}
    for (label, _), control in controls.items():
        if label == "Colours":
            for option in control.options:
                change(control, option)
                jobs.run_pending()
        elif label == "Levels":
            change(control, 3)
            jobs.run_pending()
        elif label.startswith("Across"):
            change(control, True)
            jobs.run_pending()
    assert sum("section" in name for name in server.scene._handle_from_node_name) == 3


def change(control: object, value: object) -> None:
    """Set a control as a browser does: its callbacks run in threads of the server."""
    control.value = value  # type: ignore
    time.sleep(0.05)


class FakeClients:
    """A server that reports a given number of connected clients."""

    def __init__(self, server: Server, clients: int):
        self._server, self._clients = server, clients

    def __getattr__(self, name: str) -> object:
        return getattr(self._server, name)

    def get_clients(self) -> dict[int, None]:
        """The fake clients by number."""
        return dict.fromkeys(range(self._clients))


def session(scan: Path) -> Session:
    """A short fit at its beginning."""
    config = load_config(
        "smoke",
        assignments=("training={warm_start_steps: 20, log_every: 4}", "sampling.surface_points=256"),
        training__steps=24,
        device="cpu",
        seed=0,
    )
    return start_fit(prepare_scan(read_point_cloud(scan), config), config)


def trained(session: Session, report: Callable[[Progress], None]) -> torch.Tensor:
    """The hash table of a fit after training."""
    train(session.state, session.config, report, lambda _: None, lambda: False)
    return session.state.field.table.detach()


def test_viewing_does_not_change_the_fit(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_surface, "MAX_TIME_SHARE", 1.0)
    scan = write_scan(tmp_path, box_room(4000))
    one, two, three = session(scan), session(scan), session(scan)
    plain = trained(one, lambda _: None)
    viewed = GrowingSurface(FakeClients(server, 1), two)
    assert torch.equal(trained(two, viewed), plain)
    assert viewed.pictures == 6 and viewed.seconds > 0
    unviewed = GrowingSurface(FakeClients(server, 0), three)
    assert torch.equal(trained(three, unviewed), plain)
    assert unviewed.pictures == 0 and unviewed.seconds == 0


def test_previews_are_rare(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a preview that took one second, none is computed for 49 seconds."""
    clock = [1000.0]
    monkeypatch.setattr(growing_surface.time, "monotonic", lambda: clock[0])
    grow = GrowingSurface(FakeClients(server, 1), session(write_scan(tmp_path, box_room(4000))))
    monkeypatch.setattr(grow, "show", lambda _: clock.__setitem__(0, clock[0] + 1.0))
    for _ in range(1000):
        grow(None)  # type: ignore
        clock[0] += 0.1
    assert grow.pictures == 3 and grow.seconds == 3.0


def test_a_fit_is_watched_to_its_end_and_complete_before_ctrl_c(tmp_path: Path) -> None:
    scan, folder = write_scan(tmp_path, box_room(4000)), tmp_path / "run"
    child, port = started("fit", scan, "-o", folder, *QUICK, "--view", "--port", 0)
    client = HeadlessViewerClient(port)
    try:
        assert child.stdout is not None
        lines = list(iter(child.stdout.readline, f"open http://localhost:{port} in a browser; Ctrl-C ends\n"))
        assert any(re.match(r"surface shown [1-9]\d* times", line) for line in lines), lines
        assert sorted(p.name for p in folder.iterdir()) == ["checkpoint.pt", "config.yaml", "mesh.ply", "run.json"]
        assert json.loads((folder / "run.json").read_text())["steps"] == 24
    finally:
        ended(child)
    client.close()
    assert len(client.received) > 3 and max(client.received) > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none",), "no checkpoint.pt in none"),
        (("saved", "--up", "w"), "--up 'w' is no axis"),
        (("saved", "--port", "99999"), "--port is 99999"),
        (("saved", "--host", "no-such-host.invalid"), "cannot listen at no-such-host.invalid"),
    ],
)
def test_bad_input_is_one_line(
    saved: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert call_main("view", *(saved if a == "saved" else a for a in arguments)) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("Error: ") and errors.count("\n") == 1 and message in errors


def test_a_port_in_use_is_reported_before_any_work(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for line in (("view", saved), ("fit", "none.ply", "-o", tmp_path / "run", "--view")):
            assert call_main(*line, "--port", port) == 2
            assert f"cannot listen at 127.0.0.1 port {port}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
