# SPDX-License-Identifier: MIT
"""Writes OpenVDB files. This is the only module that imports OpenVDB's Python module, which is optional."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import DistanceGrid

MODULES = ("openvdb", "pyopenvdb")  # names of the module from version 11 on, and before


def load_openvdb() -> ModuleType:
    """Import OpenVDB's Python module.

    Raises:
        InputError: it is not installed.
    """
    reasons = []
    for name in MODULES:
        try:
            return import_module(name)
        except (ImportError, OSError) as error:
            reasons.append(str(error))
    raise InputError(
        f"writing .vdb needs OpenVDB's Python module ({'; '.join(reasons)}), which is not on PyPI: install "
        "python3-openvdb (Debian, Ubuntu) or openvdb (conda-forge), or write .npz"
    )


def write_vdb(grid: DistanceGrid, path: Path) -> None:
    """Write a narrow-band grid as a level set named ``sdf`` in world coordinates.

    Values are clamped to the band, as usual for level sets. They are negative in solids, both in fastsdf and in
    OpenVDB.
    """
    assert grid.blocks is not None and grid.band_m is not None
    openvdb = load_openvdb()
    level_set = openvdb.FloatGrid(grid.band_m)
    band = np.float32(grid.band_m)
    for corner, values in zip(grid.blocks.tolist(), grid.values, strict=True):
        level_set.copyFromArray(np.clip(values, -band, band), ijk=tuple(corner))
    level_set.signedFloodFill()
    transform = openvdb.createLinearTransform(grid.voxel_size_m)
    # A translation in a matrix would lose digits of UTM coordinates.
    transform.postTranslate(tuple(np.asarray(grid.origin_m, np.float64).tolist()))
    level_set.transform = transform
    level_set.name, level_set.gridClass = "sdf", openvdb.GridClass.LEVEL_SET
    try:
        openvdb.write(str(path), grids=[level_set])
    except RuntimeError as error:  # openvdb's IoError
        raise OSError(str(error)) from error
