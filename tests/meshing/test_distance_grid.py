# SPDX-License-Identifier: MIT
"""Grids of signed distances: exact at their nodes, readable by numpy and OpenVDB, and refused when too large."""

import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fastsdf import DistanceGrid, FittedField, write_grid
from fastsdf.errors import ConfigError, InputError
from fastsdf.io.formats import vdb
from fastsdf.meshing import distance_grid as sdf_grid
from tests.helpers.analytic_room import VOXEL_M, exact_fit
from tests.helpers.cli_calls import call_main
from tests.helpers.cli_runs import SIZE_M
from tests.helpers.paths import ROOT

UTM_M = np.array([4e5, 5e6, 100.0])
MARGIN_M = 0.08 * SIZE_M.max() / 2


def room_sdf(points: np.ndarray) -> np.ndarray:
    """The distance to the room's box, positive inside."""
    q = np.abs(points - SIZE_M / 2) - SIZE_M / 2
    return -(np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0))


def check_values(values: np.ndarray, points: np.ndarray) -> None:
    """Exact in the box and its margin, of the right sign beyond."""
    exact = room_sdf(points)
    inside = ((points > -MARGIN_M) & (points < SIZE_M + MARGIN_M)).all(axis=-1)
    np.testing.assert_allclose(values[inside], exact[inside], atol=1e-6)
    assert inside.mean() > 0.5 and (values[~inside] < 0).all()


def read_npy(path: Path, name: str) -> np.ndarray:
    """An array of an NPZ file without numpy's reader of these."""
    with zipfile.ZipFile(path) as archive:
        content = archive.read(f"{name}.npy")
    assert content[:6] == b"\x93NUMPY" and content[6] == 1
    length = int.from_bytes(content[8:10], "little")
    header = eval(content[10 : 10 + length], {"__builtins__": {}})
    return np.frombuffer(content[10 + length :], header["descr"]).reshape(header["shape"])


@pytest.fixture(scope="module")
def room() -> FittedField:
    return exact_fit()


@pytest.mark.parametrize("offset", [np.zeros(3), UTM_M])
def test_every_node_of_a_dense_npz_is_the_distance_there(tmp_path: Path, offset: np.ndarray) -> None:
    write_grid(exact_fit(offset=offset).sample_grid(0.1), tmp_path / "sdf.npz")
    with np.load(tmp_path / "sdf.npz") as read:
        assert sorted(read.files) == ["origin_m", "sign", "values", "voxel_size_m"]
        origin, voxel, values = read["origin_m"], float(read["voxel_size_m"]), read["values"]
        assert str(read["sign"]) == "positive in free space, negative in solid"
    np.testing.assert_array_equal(read_npy(tmp_path / "sdf.npz", "values"), values)
    np.testing.assert_array_equal(read_npy(tmp_path / "sdf.npz", "origin_m"), origin)
    assert voxel == 0.1 and values.dtype == np.float32 and origin.dtype == np.float64
    nodes = origin + voxel * np.stack(np.indices(values.shape), axis=-1)
    check_values(values, nodes - offset)
    assert (nodes[0, 0, 0] - offset <= -MARGIN_M + 1e-6).all()
    assert (nodes[-1, -1, -1] - offset >= SIZE_M + MARGIN_M - 1e-6).all()


def test_a_band_holds_all_nodes_near_the_surface_once(room: FittedField, tmp_path: Path) -> None:
    write_grid(room.sample_grid(0.1, band_m=0.25), tmp_path / "sdf.npz")
    with np.load(tmp_path / "sdf.npz") as read:
        blocks, values, origin = read["blocks"], read["values"], read["origin_m"]
        assert float(read["band_m"]) == 0.25 and blocks.dtype == np.int32
    index = (blocks[:, None] + np.stack(np.indices((8, 8, 8)), axis=-1).reshape(-1, 3)).reshape(-1, 3)
    check_values(values.ravel(), origin + 0.1 * index)
    found = set(map(tuple, index.tolist()))
    assert len(found) == len(index)
    dense = room.sample_grid(0.1)
    np.testing.assert_array_equal(dense.origin_m, origin)
    near = np.argwhere(np.abs(dense.values) <= 0.25)
    assert set(map(tuple, near.tolist())) <= found


def test_the_snippets_of_the_docs_read_both_kinds(
    room: FittedField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_grid(room.sample_grid(0.1), tmp_path / "sdf.npz")
    write_grid(room.sample_grid(0.1, band_m=0.2), tmp_path / "band.npz")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    text = (ROOT / "docs" / "guides" / "formats.md").read_text()
    for snippet in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(snippet, "docs/guides/formats.md", "exec"), names)
    assert names["distance"]([[2.0, 1.5, 0.5]])[0] == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_allclose(names["band"]["values"], room.sdf(names["nodes"]), atol=1e-6)


def test_the_default_is_the_size_of_the_mesh_cells(room: FittedField) -> None:
    assert room.sample_grid(band_m=0.05).voxel_size_m == VOXEL_M


def test_bad_sizes_are_named(room: FittedField, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mesh\.voxel_size_m = -1"):
        room.sample_grid(-1)
    with pytest.raises(InputError, match="the band is 0; give a length above 0"):
        room.sample_grid(0.1, 0)
    monkeypatch.setattr(sdf_grid, "MAX_NODES", 1000)
    with pytest.raises(InputError, match=r"0\.1 has \S+ nodes, more than 1,000: give a larger voxel size, or a band"):
        room.sample_grid(0.1)
    with pytest.raises(InputError, match="a larger voxel size or a narrower band"):
        room.sample_grid(0.1, 0.1)
    grid = DistanceGrid(np.zeros(3), 0.1, np.zeros((2, 2, 2), np.float32))
    with pytest.raises(InputError, match=r"unknown grid suffix '\.raw'; give one of \.npz, \.vdb"):
        write_grid(grid, tmp_path / "a.raw")


def test_the_command_writes_a_grid_or_says_why_not(
    tiny_fit: FittedField, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_fit.save(tmp_path / "run")
    run = tmp_path / "run"
    assert call_main("grid", run, "-o", tmp_path / "sdf.npz", "--voxel-size", 0.25, "--device", "cpu") == 0
    with np.load(tmp_path / "sdf.npz") as read:
        nodes = read["origin_m"] + 0.25 * np.stack(np.indices(read["values"].shape), axis=-1)
        np.testing.assert_allclose(read["values"], tiny_fit.sdf(nodes), atol=1e-5)
    for name in vdb.MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    for arguments, message in (
        (
            ("-o", tmp_path / "a.vdb"),
            "install python3-openvdb (Debian, Ubuntu) or openvdb (conda-forge), or write .npz",
        ),
        (("-o", tmp_path / "a.txt"), "unknown grid suffix '.txt'"),
        (("-o", tmp_path / "a.npz", "--band", "-1"), "--band is -1.0"),
        (("-o", tmp_path / "a.npz", "--voxel-size", "0"), "--voxel-size is 0.0"),
    ):
        assert call_main("grid", run, *arguments) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "sdf.npz"]


def test_a_band_of_a_steep_field_holds_all_nodes_within_that_distance() -> None:
    """A ball whose values are 1.9 times the distance: |u| exceeds the band where the distance does not."""
    lower, upper, band, voxel = torch.full((3,), -1.0).double(), torch.full((3,), 1.0).double(), 0.15, 0.04
    grid = sdf_grid.sample_band(lambda x: 1.9 * (x.norm(dim=1) - 0.6), lower, upper, voxel, band)
    assert grid.blocks is not None
    index = (grid.blocks[:, None] + np.stack(np.indices((8, 8, 8)), axis=-1).reshape(-1, 3)).reshape(-1, 3)
    found = set(map(tuple, index.tolist()))
    side = np.stack(np.indices((51, 51, 51)), axis=-1).reshape(-1, 3)
    distance = np.abs(np.linalg.norm(grid.origin_m + voxel * side, axis=1) - 0.6)
    assert set(map(tuple, side[distance <= band].tolist())) <= found
