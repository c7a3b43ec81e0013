# SPDX-License-Identifier: MIT
"""Reads PLY files as points or as a triangle mesh, at the precision of the file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyParseError

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.io.attributes import POINT_NAMES, cloud_from_columns
from fastsdf.io.formats.ply_header import PlyHeader, read_ply_header

_FACE_LISTS = ("vertex_indices", "vertex_index")  # both names are common
_ATTRIBUTES = ("confidence", "measured")  # vertex properties written by ``fastsdf fit``


def read_ply_cloud(path: str | Path) -> PointCloud:
    """Read the vertices of a PLY file (ASCII or binary) as points, in file order; the result is not cleaned.

    Known properties are x y z, nx ny nz, red green blue (or r g b, diffuse_*), sx sy sz (sensor position), and view (or
    scan, frame: index into a pose file). Other properties are ignored; faces are ignored with a note.

    Raises:
        ScanError: the file is missing, not a PLY, damaged, or has no vertices with x, y and z.
    """
    path = Path(path)
    header = _vertex_header(path)
    first = next(iter(header.elements))
    if header.is_ascii and first == "vertex" and not header.elements[first].lists:
        columns = _ascii_columns(path, header)
    else:
        columns = _vertex_columns(_load(path, header))
    cloud = cloud_from_columns(columns)
    if header.face_count == 0:
        return cloud
    note = f"the file is a mesh with {header.face_count} faces: its vertices are used as the points"
    return replace(cloud, notes=(*cloud.notes, note))


def read_ply_mesh(path: str | Path) -> TriangleMesh:
    """Read a PLY mesh; polygons are split into triangle fans. Vertices keep the precision and order of the file.

    The vertex properties ``confidence`` and ``measured``, which ``fastsdf fit`` writes, are read as attributes.

    Raises:
        ScanError: the file is missing, not a PLY, damaged, or has no faces.
    """
    path = Path(path)
    header = _vertex_header(path)
    if header.face_count == 0:
        raise ScanError(f"{path} has no faces, it is a point cloud: a mesh is needed here")
    data = _load(path, header)
    names = [name for name in _FACE_LISTS if name in header.elements["face"].lists]
    if not names:
        raise ScanError(f"{path}: the face element has no list named {' or '.join(_FACE_LISTS)}: export the mesh again")
    columns = _vertex_columns(data)
    cloud = cloud_from_columns(columns)
    faces = _fan_triangles(data["face"].data[names[0]])
    attributes = {name: columns[name] for name in _ATTRIBUTES if name in columns}
    return TriangleMesh(cloud.points, faces, cloud.normals, cloud.colors, attributes)


def read_ply_flags(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read vertex properties of a PLY file as flags.

    Args:
        path: the file.
        names: names of the properties; those that the file does not have are skipped.

    Returns:
        Name -> (n,) bool in file order, True where the property is not zero.

    Raises:
        ScanError: the file is missing, not a PLY, damaged, or has no vertices with x, y and z.
    """
    path = Path(path)
    columns = _vertex_columns(_load(path, _vertex_header(path)))
    return {name: columns[name] != 0 for name in names if name in columns}


def _vertex_header(path: Path) -> PlyHeader:
    header = read_ply_header(path)
    if "vertex" not in header.elements:
        found = ", ".join(header.elements) or "none"
        raise ScanError(f"{path}: the PLY file has no vertex element (elements: {found}): export points or a mesh")
    names = {name.lower() for name in header.elements["vertex"].scalars}
    missing = [name for name in POINT_NAMES if name not in names]
    if missing:
        raise ScanError(f"{path}: the PLY vertices have no property {', '.join(missing)}: export with x, y and z")
    return header


def _load(path: Path, header: PlyHeader) -> PlyData:
    """Read with plyfile: fast and memory-mapped if all faces are triangles, otherwise row by row."""
    triangles = {"face": dict.fromkeys(header.elements["face"].lists, 3)} if header.face_count else {}
    try:
        try:
            return PlyData.read(str(path), known_list_len=triangles)
        except PlyParseError:
            return PlyData.read(str(path))
    except (PlyParseError, ValueError, TypeError, OverflowError, EOFError, OSError, MemoryError) as error:
        raise _damaged(path, error) from error


def _vertex_columns(data: PlyData) -> dict[str, np.ndarray]:
    vertex = data["vertex"]
    return {p.name.lower(): np.asarray(vertex.data[p.name]) for p in vertex.properties}


def _ascii_columns(path: Path, header: PlyHeader) -> dict[str, np.ndarray]:
    """Parse ASCII vertices in float64, so that a property declared as 'float' keeps all digits of the text."""
    vertex = header.elements["vertex"]
    if vertex.count <= 0:
        return {name.lower(): np.empty(0) for name in vertex.scalars}
    try:
        table = np.loadtxt(
            path, skiprows=header.lines, max_rows=vertex.count, ndmin=2, comments=None, encoding="latin-1"
        )
    except (ValueError, OverflowError, MemoryError) as error:
        raise _damaged(path, error) from error
    if table.shape != (vertex.count, len(vertex.scalars)):
        expected = f"{vertex.count} vertices of {len(vertex.scalars)} numbers"
        raise _damaged(path, f"expected {expected}, found {table.shape[0]} of {table.shape[1]}")
    return {
        name.lower(): column if kind[0] == "f" else column.astype(np.int64)
        for (name, kind), column in zip(vertex.scalars.items(), table.T, strict=True)
    }


def _fan_triangles(polygons: np.ndarray) -> np.ndarray:
    """Split polygons, (f, 3) or an (f,) object array of index lists, into triangles (t, 3) int64."""
    if polygons.ndim == 2 and polygons.shape[1] == 3:
        return polygons.astype(np.int64)
    lengths = np.fromiter(map(len, polygons), dtype=np.int64, count=len(polygons))
    corners = np.concatenate([np.asarray(polygon, dtype=np.int64) for polygon in polygons])
    starts = np.cumsum(lengths) - lengths
    counts = np.maximum(lengths - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)


def _damaged(path: Path, reason: object) -> ScanError:
    short = str(reason).split(";")[0]  # After a semicolon, numpy adds advice for programmers.
    return ScanError(f"{path}: the PLY data are damaged or cut short ({short}): export or copy the file again")
