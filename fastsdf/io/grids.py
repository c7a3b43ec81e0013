# SPDX-License-Identifier: MIT
"""Writes grids of signed distances as NPZ (NumPy) or OpenVDB files."""

from pathlib import Path

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import DistanceGrid
from fastsdf.io.atomic import atomic_path
from fastsdf.io.formats.vdb import load_openvdb, write_vdb

# Formats of `write_grid`, and what they say about the sign.
GRID_SUFFIXES = (".npz", ".vdb")
SIGN = "positive in free space, negative in solid"


def write_grid(grid: DistanceGrid, path: str | Path) -> None:
    """Write a grid as NPZ (all fields) or as OpenVDB (a float32 level set), depending on the suffix.

    Raises:
        InputError: the suffix is unknown, a grid for OpenVDB has no band, OpenVDB's Python module is not installed, or
            the file cannot be written.

    >>> import fastsdf, numpy as np
    >>> grid = fastsdf.DistanceGrid(np.zeros(3), 0.05, np.zeros((2, 3, 4), np.float32))
    >>> fastsdf.write_grid(grid, "sdf.npz")
    >>> np.load("sdf.npz")["values"].shape
    (2, 3, 4)
    """
    path = Path(path)
    check_grid_path(path)
    if path.suffix.lower() == ".vdb" and grid.blocks is None:
        raise InputError(f"{path}: a VDB file holds a band around the surface; sample the grid with band_m")
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".vdb":
            write_vdb(grid, temporary)
        else:
            _write_npz(grid, temporary)


def check_grid_path(path: Path) -> None:
    """Check that `write_grid` can write a file.

    Raises:
        InputError: the suffix is unknown, or the package for it is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in GRID_SUFFIXES:
        raise InputError(f"{path}: unknown grid suffix '{path.suffix}'; give one of {', '.join(GRID_SUFFIXES)}")
    if suffix == ".vdb":
        load_openvdb()


def _write_npz(grid: DistanceGrid, path: Path) -> None:
    content = {
        "origin_m": np.asarray(grid.origin_m, np.float64),
        "voxel_size_m": np.float64(grid.voxel_size_m),
        "values": grid.values,
        "sign": np.str_(SIGN),
    }
    if grid.blocks is not None:
        content |= {"blocks": grid.blocks, "band_m": np.float64(grid.band_m or 0.0)}
    with open(path, "wb") as stream:
        np.savez(stream, **content)
