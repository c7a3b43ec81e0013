# SPDX-License-Identifier: MIT
"""Coordinate reference systems, given as well-known text or as an EPSG code, which pyproj converts to text.

This is the only module that imports pyproj, which is optional.
"""

import re
from pathlib import Path

from fastsdf.errors import InputError
from fastsdf.io.atomic import atomic_path
from fastsdf.system.optional_import import needed_for


def crs_name(crs: str) -> str:
    """Short name of a reference system: the first name in its text, or its code."""
    quoted = re.search(r'"([^"]+)"', crs)
    return quoted.group(1) if quoted else crs


def as_wkt(crs: str) -> str:
    """The well-known text of a reference system.

    Args:
        crs: well-known text, which is returned unchanged, or a code such as ``EPSG:25832`` or ``EPSG:25832+7837``.

    Raises:
        InputError: ``crs`` is a code, and pyproj is not installed or does not know the code.
    """
    if not crs.startswith("EPSG:"):
        return crs
    with needed_for(f"the text of {crs} needs pyproj", "pip install pyproj"):
        from pyproj import CRS
        from pyproj.exceptions import CRSError
    try:
        return CRS.from_user_input(crs).to_wkt("WKT1_GDAL")
    except CRSError as error:
        raise InputError(f"pyproj does not know {crs} ({error}): update pyproj") from error


def prj_path(path: Path) -> Path:
    """The file that holds the reference system of a mesh file: ``room.ply`` -> ``room.prj``."""
    return path.with_suffix(".prj")


def georeference(path: Path, crs: str | None, as_scanned: bool) -> str | None:
    """Write a .prj file beside a mesh file if the mesh has the coordinates of the scan.

    Args:
        path: the mesh file.
        crs: the scan's reference system, or None if it is unknown.
        as_scanned: whether the mesh has the same coordinates as the scan: same units, axes and origin.

    Returns:
        A message for the user, or None.

    Raises:
        InputError: the .prj file cannot be written.
    """
    target = prj_path(path)
    reason = "" if crs else "the scan has no reference system"
    if crs and not as_scanned:
        reason = f"the mesh is not in the scan's coordinates, which are in {crs_name(crs)}"
    elif crs:
        try:
            text = as_wkt(crs)
        except InputError as error:
            reason = str(error)
        else:
            with atomic_path(target) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
            return f"the coordinates are in {crs_name(text)}, see {target}"
    if target.exists():
        return f"{target} was written earlier and may not belong to this mesh: {reason}"
    return f"no .prj file written: {reason}" if crs else None
