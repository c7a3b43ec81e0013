# SPDX-License-Identifier: MIT
"""``fastsdf report``, ``fit --report`` and ``fastsdf demo``: one whole, self-contained page, and clear errors."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastsdf.commands import demo as demo_command
from fastsdf.io import read_mesh, write_mesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.rendering import pictures
from fastsdf.report.content import Chapter, Picture
from fastsdf.report.figures import chart
from fastsdf.report.page import render
from tests.helpers.cli_calls import call_main
from tests.helpers.cli_runs import box_room, write_scan
from tests.helpers.html_pages import Page, decode

KEYS = ("views", "sections", "training", "confidence", "residual", "metrics", "settings")
PICTURES = 12


@pytest.fixture(scope="module", autouse=True)
def coarse_pictures() -> Iterator[None]:
    """One sample per pixel, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "SUPERSAMPLING", 1)
        yield


@pytest.fixture(scope="module")
def saved(tiny_fit: FittedField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved field without a mesh or run.json, its report beside them."""
    folder = tmp_path_factory.mktemp("report")
    tiny_fit.save(folder)
    assert call_main("report", folder, "--device", "cpu") == 0
    return folder


def test_the_page_is_self_contained_and_has_all_sections(saved: Path) -> None:
    page = Page(saved / "report.html")
    assert tuple(page.keys) == KEYS
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert "http" not in page.text.replace("data:image", "") and "url(" not in page.text
    assert 'name="viewport"' in page.text and "@media print" in page.text
    assert "training.steps" in page.text and "median |u| at the points" in page.text


def test_the_images_decode_and_show_something(saved: Path) -> None:
    images = [decode(uri) for uri in Page(saved / "report.html").images]
    assert len(images) == PICTURES
    for pixels in images:
        assert min(pixels.shape[:2]) > 200 and pixels[..., :3].std() > 0.01


def test_only_the_page_is_written(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["checkpoint.pt", "config.yaml", "report.html"]


def test_confidence_comes_back_from_a_mesh_file(tiny_fit: FittedField, tmp_path: Path) -> None:
    mesh = tiny_fit.extract_mesh()
    write_mesh(mesh, tmp_path / "mesh.ply")
    found = read_mesh(tmp_path / "mesh.ply").attributes
    assert set(found) == {"confidence", "measured"}
    for name, values in found.items():
        np.testing.assert_array_equal(values, mesh.attributes[name])


def test_names_are_escaped(tmp_path: Path) -> None:
    picture = Picture('a "b" <i>', chart(lambda _, axes: axes.plot([0, 1])))
    path = tmp_path / "page.html"
    path.write_text(render("<b>&", [("n", "<u>")], [Chapter("k", "<s>", "", (picture,))]), encoding="utf-8")
    page = Page(path)
    assert page.keys == ["k"] and decode(page.images[0]).std() > 0
    assert not any(f"<{tag}>" in page.text for tag in "bius")


def test_the_demo_writes_mesh_and_report_and_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo_command.demo_scan().is_file()
    opened: list[str] = []
    monkeypatch.setattr(demo_command, "demo_scan", lambda: write_scan(tmp_path, box_room(3000)))
    monkeypatch.setattr(demo_command.webbrowser, "open", lambda uri: not opened.append(uri))
    short = ("--set", "training={steps: 24, warm_start_steps: 20, log_every: 8}", "--device", "cpu")
    points = (
        "--set",
        "mesh.voxel_size_m=0.125",
        "--set",
        "sampling={surface_points: 256, near_points: 128, uniform_points: 128}",
    )
    assert call_main("demo", "-o", tmp_path / "run", "--open", *short, *points) == 0
    assert opened == [(tmp_path / "run" / "report.html").as_uri()]
    page, report = Page(tmp_path / "run" / "report.html"), RunFolder(tmp_path / "run").read_report()
    assert tuple(page.keys) == KEYS and len(page.images) == PICTURES
    assert "scan.ply: fastsdf report" in page.text and f"{report['metrics']['faces']:,}" in page.text


@pytest.mark.parametrize(("package", "line"), [("matplotlib", "report"), ("jinja2", "report"), ("jinja2", "fit")])
def test_a_missing_package_is_reported_before_any_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    line: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    arguments = ("scan.ply", "--report") if line == "fit" else (tmp_path,)
    assert call_main(line, *arguments) == 2
    assert f"reports need {package}" in capsys.readouterr().err


def test_runs_that_cannot_be_shown(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "checkpoint.pt").write_bytes((saved / "checkpoint.pt").read_bytes())
    (tmp_path / "damaged" / "run.json").write_text("{")
    for arguments, message in (
        ((tmp_path / "none",), "no checkpoint.pt in"),
        ((tmp_path,), "no checkpoint.pt in"),
        ((saved, "-o", tmp_path), "is a folder; name a file"),
        ((tmp_path / "damaged",), "run.json cannot be read"),
    ):
        assert call_main("report", *arguments) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.html"))
