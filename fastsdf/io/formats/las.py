# SPDX-License-Identifier: MIT
"""Reads LAS and LAZ files with laspy. This is the only module that imports it."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.attributes import cloud_from_columns
from fastsdf.io.files import require_file
from fastsdf.system.optional_import import needed_for

NOISE_CLASSES = (7, 18)  # "low point" and "high noise" of the LAS specification
WKT_RECORD, KEYS_RECORD = "WktCoordinateSystemVlr", "GeoKeyDirectoryVlr"  # class names in laspy
GEOGRAPHIC_KEY, PROJECTED_KEY, VERTICAL_KEY = 2048, 3072, 4096  # key numbers of the GeoTIFF specification
EPSG_CODES = range(1024, 32767)  # values of these keys that are EPSG codes, by the same specification


def read_las_cloud(path: str | Path) -> PointCloud:
    """Read the points of a LAS or LAZ file in file order; the result is not cleaned.

    Coordinates are ``integer * scale + offset`` in float64, without loss. Colours are scaled from 16 to 8 bits, unless
    their largest value shows that the file holds 8-bit values. Extra dimensions named like PLY properties (nx ny nz,
    sx sy sz, view) and GPS times are used, others are ignored. All returns are kept; points that are withheld or
    classified as noise (7, 18) are dropped with a note. The coordinate reference system is taken from the well-known
    text or the GeoTIFF keys.

    Raises:
        ScanError: laspy or a LAZ decoder is not installed, or the file is missing or damaged.
    """
    path = require_file(path)
    laspy = _load_laspy(path)
    try:
        las = laspy.read(path)
        columns = _columns(las)
        usable = _usable(las)
        crs = _reference_system(las)
    except Exception as error:  # Damaged files cause any exception of numpy or struct.
        raise ScanError(f"{path}: laspy cannot read it ({error}); {_advice(error)}") from error
    cloud = replace(cloud_from_columns({name: values[usable] for name, values in columns.items()}), crs=crs)
    dropped = len(usable) - len(cloud)
    if dropped == 0:
        return cloud
    note = f"dropped {dropped} of {len(usable)} points that the file marks as noise or withheld"
    return replace(cloud, notes=(*cloud.notes, note))


def _columns(las: Any) -> dict[str, np.ndarray]:
    """Coordinates, colours, times and scalar extra dimensions, lower-case name -> (n,)."""
    known = set(las.point_format.dimension_names)
    colors = [name for name in ("red", "green", "blue") if name in known]
    extra = [name for name in las.point_format.extra_dimension_names if np.ndim(las[name]) == 1]
    times = [name for name in ("gps_time",) if name in known]
    named = {name.lower(): np.asarray(las[name]) for name in (*extra, *colors, *times)}
    return {**named, **{axis: np.asarray(las[axis], dtype=np.float64) for axis in "xyz"}}


def _usable(las: Any) -> np.ndarray:
    known = set(las.point_format.dimension_names)
    usable = ~np.isin(np.asarray(las["classification"]), NOISE_CLASSES)
    return usable & (np.asarray(las["withheld"]) == 0) if "withheld" in known else usable


def _reference_system(las: Any) -> str | None:
    """The file's well-known text, or the horizontal and vertical EPSG codes of its GeoTIFF keys, or None."""
    records = [*las.header.vlrs, *(las.header.evlrs or [])]
    texts = [record.string.strip("\0 \n") for record in records if type(record).__name__ == WKT_RECORD]
    if any(texts):
        return next(text for text in texts if text)
    keys = {k.id: k.value_offset for r in records if type(r).__name__ == KEYS_RECORD for k in r.geo_keys}
    horizontal, vertical = keys.get(PROJECTED_KEY, keys.get(GEOGRAPHIC_KEY, 0)), keys.get(VERTICAL_KEY, 0)
    if horizontal not in EPSG_CODES:
        return None
    return f"EPSG:{horizontal}+{vertical}" if vertical in EPSG_CODES else f"EPSG:{horizontal}"


def _advice(error: Exception) -> str:
    if "LazBackend" in str(error):
        return "LAZ files need lazrs: pip install lazrs, or convert to LAS"
    return "export or copy the file again"


def _load_laspy(path: Path) -> ModuleType:
    with needed_for(f"{path}: LAS and LAZ files need laspy", "pip install laspy lazrs, or convert to PLY", ScanError):
        import laspy
    return laspy
