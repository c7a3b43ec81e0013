# SPDX-License-Identifier: MIT
"""Every format agrees with independent libraries, near the origin and at UTM coordinates."""

from pathlib import Path

import pytest

from benchmarks.formats.round_trips import Row, grid_rows, input_rows, output_rows

FLOAT32 = (".ply, float", ".ply trimesh", ".pcd", ".glb mesh")
SINGLE_AT_UTM_M = 0.5  # metres; step of float32 at five million metres
READS_FLOAT32 = {(".obj", "open3d"), (".glb", "open3d")}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return input_rows(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return output_rows(tmp_path_factory.mktemp("meshes"))


def test_files_of_other_libraries_are_read_exactly(scans: list[Row]) -> None:
    assert len(scans) >= 11  # rows that need only numpy, plyfile and trimesh
    for row in scans:
        assert row.points["origin"] <= 1e-12 and row.points["UTM"] <= 1e-9, row
        for name, limit in (("colors", 0.0), ("normals", 1e-15), ("sensors", 1e-9)):
            deviation = getattr(row, name)
            assert deviation is None or deviation <= limit, (name, row)


def test_only_float32_files_lose_digits_at_utm(scans: list[Row]) -> None:
    for row in scans:
        single = row.rounding["UTM"] > 1e-4
        assert single == (row.format in FLOAT32 or f"{row.format} {row.library}" in FLOAT32), row
        assert row.rounding["UTM"] < SINGLE_AT_UTM_M


def test_other_libraries_read_our_files(meshes: list[Row]) -> None:
    assert len(meshes) >= 5  # rows of plyfile, of trimesh, and of the text of USD if usd-core wrote it
    for row in meshes:
        assert row.faces and row.points["origin"] <= 1e-6, row
        limit = SINGLE_AT_UTM_M if (row.format, row.library) in READS_FLOAT32 else 1e-5
        assert row.points["UTM"] <= limit, row
        assert row.colors is None or row.colors <= 1e-3, row
        assert row.normals is None or row.normals <= 1e-6, row
        has_colors = row.format != ".stl" and (row.format, row.library) != (".obj", "meshio")
        assert (row.colors is not None) == has_colors, row


def test_grids_are_exact(tmp_path: Path) -> None:
    for suffix, _library, *deviations in grid_rows(tmp_path):
        if suffix == ".npz":
            assert deviations == ["exact", "exact", "exact"]
