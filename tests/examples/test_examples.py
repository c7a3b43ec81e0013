# SPDX-License-Identifier: MIT
"""The examples and the snippets of docs/reference/api.md run and give correct results."""

import re
import struct
import zlib
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

import fastsdf
from fastsdf.errors import InputError
from fastsdf.system.open3d_library import load_open3d
from tests.helpers.cli_runs import SIZE_M, write_scan
from tests.helpers.paths import ROOT
from tests.helpers.tiny_room import coloured_room

SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "reference" / "api.md").read_text(), re.DOTALL)


def example(name: str) -> ModuleType:
    """Loads an example as a module."""
    spec = util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tiny_fit: fastsdf.FittedField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny fit, saved as a run folder."""
    folder = tmp_path_factory.mktemp("examples") / "run"
    tiny_fit.save(folder)
    return folder


def pixels(data: bytes) -> np.ndarray:
    """Decodes a PNG with unfiltered RGB rows into an image (height, width, 3), and verifies its checksums."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    parts, start = {}, 8
    while start < len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        parts[kind] = data[start + 8 : start + 8 + length]
        start += 12 + length
        assert struct.unpack(">I", data[start - 4 : start])[0] == zlib.crc32(kind + parts[kind])
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    assert parts[b"IHDR"][8:] == bytes([8, 2, 0, 0, 0]) and list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def command(module: ModuleType, *arguments: object) -> str:
    """Runs the command of an example in this process and returns its output."""
    import typer

    app = typer.Typer()
    app.command()(module.main)
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


def test_rays_hit_the_walls_of_the_room(tiny_fit: fastsdf.FittedField) -> None:
    tracing = example("sphere_tracing")
    eye = SIZE_M / 2
    rays = tracing.camera_rays(eye, eye + np.array([1.0, 0.2, 0.1]), 70.0, 16, 12).reshape(-1, 3)
    assert np.allclose(np.linalg.norm(rays, axis=1), 1)
    distance = tracing.trace(tiny_fit, np.broadcast_to(eye, rays.shape), rays, 10.0, 1e-3)
    with np.errstate(divide="ignore"):
        truth = (np.where(rays > 0, SIZE_M - eye, -eye) / rays).min(axis=1)
    assert np.isfinite(distance).mean() > 0.99
    assert np.nanmedian(np.abs(distance - truth)) < 0.05
    short = tracing.trace(tiny_fit, np.broadcast_to(eye, rays.shape), rays, 0.5, 1e-3)
    assert np.isnan(short).all()


@pytest.mark.parametrize("show", ["normals", "depth"])
def test_sphere_tracing_writes_a_picture(run: Path, tmp_path: Path, show: str) -> None:
    out = tmp_path / "view.png"
    command(example("sphere_tracing"), run, out, "--show", show, "--size", "32x20")
    picture = pixels(out.read_bytes())
    assert picture.shape == (20, 32, 3) and picture.std() > 5


def test_a_png_contains_the_image(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    data = example("sphere_tracing").png(picture)
    np.testing.assert_array_equal(pixels(data), picture)
    (tmp_path / "p.png").write_bytes(data)
    np.testing.assert_array_equal(pytest.importorskip("PIL.Image").open(tmp_path / "p.png"), picture)


def test_a_sphere_stops_at_the_wall(tiny_fit: fastsdf.FittedField, run: Path) -> None:
    collision = example("collision_query")
    start, end, radius = SIZE_M / 2, np.array([6.0, 1.5, 1.25]), 0.1
    contact = collision.first_contact(tiny_fit, start, end, radius)
    assert contact is not None
    assert contact.center[0] == pytest.approx(SIZE_M[0] - radius, abs=0.1)
    assert contact.travelled == pytest.approx(contact.center[0] - start[0])
    assert contact.normal[0] < -0.8
    assert collision.first_contact(tiny_fit, start, start + np.array([0.5, 0, 0]), radius) is None
    assert collision.first_contact(tiny_fit, start, start, radius) is None
    free = collision.clearance(tiny_fit, np.stack([start, contact.center]), radius)
    assert free[0] > 0.6 and abs(free[1]) < 2e-3
    printed = command(collision, run, "--start", "2,1.5,1.25", "--end", "6,1.5,1.25", "--radius", 0.1)
    assert printed.count("to the surface") == 9 and "contact after 1." in printed
    assert "no contact" in command(collision, run, "--start", "2,1.5,1.25", "--end", "2.2,1.5,1.25")


def test_the_snippets_of_the_docs_run(
    tiny_fit: fastsdf.FittedField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs them as one program in a folder with a scan; fitting is replaced by the tiny fit."""
    pytest.importorskip("fast_simplification")
    write_scan(tmp_path, coloured_room())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fastsdf, "fit", lambda *_, **__: tiny_fit)
    names: dict[str, object] = {}
    for snippet in SNIPPETS:
        if "evaluate(" not in snippet or _open3d_works():
            exec(compile(snippet, "docs/reference/api.md", "exec"), names)
    assert len(SNIPPETS) >= 7 and isinstance(names["one"], float) and names["one"] > 1
    assert len(trimesh.load(tmp_path / "mesh.glb", force="mesh").faces) > 1000
    assert {"mesh.ply", "mesh.glb", "confidence.ply", "runs"} <= {path.name for path in tmp_path.iterdir()}


def _open3d_works() -> bool:
    try:
        load_open3d()
    except InputError:
        return False
    return True
