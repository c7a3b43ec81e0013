# SPDX-License-Identifier: MIT
"""OpenVDB files, read back by OpenVDB itself; skipped where its Python module is not installed."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastsdf.errors import InputError
from fastsdf.geometry import BLOCK, DistanceGrid
from fastsdf.io import write_grid
from fastsdf.io.formats.vdb import load_openvdb

ORIGIN_M, VOXEL_M, BAND_M = np.array([4e5, 5e6, 100.0]), 0.05, 0.15
CENTRE_M, RADIUS_M = 1.2, 0.9


@pytest.fixture
def openvdb() -> ModuleType:
    try:
        return load_openvdb()
    except InputError as error:
        pytest.skip(str(error))


def ball_grid() -> DistanceGrid:
    """A band around a ball of solid in blocks."""
    corners = BLOCK * np.stack(np.indices((6, 6, 6)), axis=-1).reshape(-1, 3)
    index = corners[:, None, None, None] + np.stack(np.indices((BLOCK,) * 3), axis=-1)
    values = (np.linalg.norm(VOXEL_M * index - CENTRE_M, axis=-1) - RADIUS_M).astype(np.float32)
    near = np.abs(values).min(axis=(1, 2, 3)) <= BAND_M
    return DistanceGrid(ORIGIN_M, VOXEL_M, values[near], corners[near].astype(np.int32), BAND_M)


def test_a_vdb_is_a_level_set_in_world_coordinates(tmp_path: Path, openvdb: ModuleType) -> None:
    grid = ball_grid()
    write_grid(grid, tmp_path / "ball.vdb")
    read = openvdb.read(str(tmp_path / "ball.vdb"), "sdf")
    assert read.gridClass == openvdb.GridClass.LEVEL_SET and read.background == np.float32(BAND_M)
    node = read.transform.indexToWorld((2, 4, 6))
    np.testing.assert_allclose(node, ORIGIN_M + VOXEL_M * np.array([2, 4, 6]), rtol=0, atol=1e-9)
    assert grid.blocks is not None
    for corner, values in zip(grid.blocks.tolist(), grid.values, strict=True):
        found = np.zeros((BLOCK,) * 3, np.float32)
        read.copyToArray(found, ijk=tuple(corner))
        np.testing.assert_array_equal(found, np.clip(values, -np.float32(BAND_M), np.float32(BAND_M)))
    values = read.getConstAccessor()
    assert values.getValue((24, 24, 24)) == -np.float32(BAND_M) and values.getValue((0, 0, 0)) == np.float32(BAND_M)


def test_another_reader_finds_voxel_and_origin_as_they_are(tmp_path: Path, openvdb: ModuleType) -> None:
    tinyvdb = pytest.importorskip("tinyvdb")
    write_grid(ball_grid(), tmp_path / "ball.vdb")
    file = tinyvdb.open(str(tmp_path / "ball.vdb"))
    file.read_grids()
    transform = file.grid(0).transform
    assert transform["voxel_size"] == (VOXEL_M,) * 3 and transform["translation"] == tuple(ORIGIN_M)


def test_a_vdb_needs_a_band(tmp_path: Path, openvdb: ModuleType) -> None:
    dense = DistanceGrid(ORIGIN_M, VOXEL_M, np.zeros((4, 4, 4), np.float32))
    with pytest.raises(InputError, match="a VDB file holds a band around the surface"):
        write_grid(dense, tmp_path / "a.vdb")
    assert not list(tmp_path.iterdir())
