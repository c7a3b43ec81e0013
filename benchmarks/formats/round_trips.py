# SPDX-License-Identifier: MIT
"""Checks every file format against independent libraries; prints the tables of docs/evidence/formats.md.

    python -m benchmarks.formats.round_trips

Other libraries (laspy, pye57, plyfile, open3d, trimesh, numpy) write scans, and fastsdf reads them. In the other
direction fastsdf writes meshes and grids, and other libraries read them (also meshio and pygltflib, if installed). The
tables contain the largest deviations, for coordinates near the origin and for UTM coordinates. The rows of missing
libraries are left out.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from scipy.spatial import KDTree

from benchmarks.formats.round_trip_readers import GRID_READERS, READERS, ReadMesh
from benchmarks.formats.round_trip_writers import UTM, WRITERS, Scan
from fastsdf.errors import InputError
from fastsdf.geometry import BLOCK, DistanceGrid, TriangleMesh
from fastsdf.io import read_mesh, read_point_cloud, write_grid, write_mesh

ORIGINS = {"origin": np.zeros(3), "UTM": UTM}
INPUT_HEAD = ("format", "written by", "deviation", "... at UTM", "rounding of the file", "... at UTM", "colours",
              "normals", "sensors")  # fmt: skip
OUTPUT_HEAD = ("format", "read by", "deviation", "... at UTM", "faces", "colours", "normals")
GRID_HEAD = ("format", "read by", "positions", "... at UTM", "values")


class Row(NamedTuple):
    """The deviations of one round trip through a file; None where the format lacks the quantity.

    Attributes:
        format: file format.
        library: the other library.
        points: largest difference between the coordinates read and those in the file, metres, by origin.
        rounding: largest difference between the coordinates in the file and the original ones, metres, by origin.
        colors: largest difference of a colour value, from 0 to 255.
        normals: largest difference of a component of a normal.
        sensors: largest difference of a sensor coordinate, metres.
        faces: whether the number of faces is the same.
    """

    format: str
    library: str
    points: dict[str, float]
    rounding: dict[str, float]
    colors: float | None = None
    normals: float | None = None
    sensors: float | None = None
    faces: bool | None = None


def scan_of(origin: np.ndarray, count: int = 402) -> Scan:
    """Random points in a room with colours, normals and sensors; the same arguments give the same scan."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-4.0, 4.0, (count, 3)) + origin
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    stations = np.sort(
        np.round(rng.uniform(-1.0, 1.0, (2, 3)), 3), axis=0
    )  # sorted: files contain one scan after another
    sensors = stations[np.arange(count) // (count // 2)] + origin
    return Scan(points, normals, rng.integers(0, 256, (count, 3)).astype(np.uint8), sensors)


def input_rows(folder: Path) -> list[Row]:
    """A row per input format and installed library that writes it."""
    rows = []
    for (kind, library), write in WRITERS.items():
        found: dict[str, tuple[float, float]] = {}
        last: Any = None
        try:
            for name, origin in ORIGINS.items():
                scan = scan_of(origin)
                path = folder / f"{name}-{len(rows)}{kind.replace(',', ' ').split()[0]}"
                held = write(scan, path)
                read = read_mesh(path) if "mesh" in kind else read_point_cloud(path)
                points = read.vertices if isinstance(read, TriangleMesh) else read.points
                found[name] = (_max_difference(points, held.points), _max_difference(held.points, scan.points))
                last = (read, held)
        except ImportError:
            continue
        read, held = last
        rows.append(
            Row(
                kind,
                library,
                {name: value[0] for name, value in found.items()},
                {name: value[1] for name, value in found.items()},
                _deviation(read.colors, held.colors),
                None if isinstance(read, TriangleMesh) else _deviation(read.normals, held.normals),
                None if isinstance(read, TriangleMesh) else _deviation(read.sensors, held.sensors),
            )
        )
    return rows


def mesh_of(origin: np.ndarray) -> TriangleMesh:
    """A sphere with colours and normals."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=2, radius=3.2)
    corners = np.asarray(ball.vertices)
    colors = np.random.default_rng(0).integers(0, 256, corners.shape).astype(np.uint8)
    normals = corners / np.linalg.norm(corners, axis=1, keepdims=True)
    return TriangleMesh(corners + origin, np.asarray(ball.faces), normals, colors)


def output_rows(folder: Path) -> list[Row]:
    """A row per mesh format and installed library that reads it."""
    rows = []
    for (suffix, library), read in READERS.items():
        points: dict[str, float] = {}
        colors = normals = None
        try:
            for name, origin in ORIGINS.items():
                mesh, path = mesh_of(origin), folder / f"{name}{suffix}"
                write_mesh(mesh, path)
                found = read(path)
                points[name] = _as_triangles(found, mesh)
                if name == "origin":
                    colors, normals = _at_vertices(found, mesh)
        except ImportError:
            continue
        same = found.faces.shape == mesh.faces.shape
        rows.append(Row(suffix, library, points, {}, colors, normals, faces=same))
    return rows


def grid_rows(folder: Path) -> list[tuple[str, ...]]:
    """A row per grid format and library: deviations of the positions at both origins, and of the values."""
    rows = []
    for (suffix, library), read in GRID_READERS.items():
        positions, value = [], 0.0
        try:
            for name, origin in ORIGINS.items():
                grid, path = grid_of(origin), folder / f"{name}{suffix}"
                write_grid(grid, path)
                corner, values = read(path, grid)
                positions.append(
                    _text(_max_difference(corner, grid.origin_m + grid.voxel_size_m * np.array([8, 0, 0])))
                )
                value = max(value, float(np.abs(values - grid.values[0]).max()))
        except (ImportError, InputError):  # OpenVDB is in no package index
            rows.append((suffix, library, "not installed here", "", ""))
            continue
        rows.append((suffix, library, *positions, _text(value)))
    return rows


def grid_of(origin: np.ndarray) -> DistanceGrid:
    """A grid of one block around a plane; all values lie within the narrow band."""
    blocks = np.array([[8, 0, 0]], np.int32)
    values = 0.01 * (np.indices((BLOCK,) * 3)[0] - 3.5).astype(np.float32)[None]
    return DistanceGrid(np.asarray(origin, np.float64), 0.05, values, blocks, 0.15)


def _max_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(found, np.float64) - expected).max())


def _deviation(found: np.ndarray | None, expected: np.ndarray | None) -> float | None:
    """Largest difference; None if nothing was written, infinite if it was lost."""
    if expected is None:
        return None
    return float("inf") if found is None else _max_difference(found, expected)


def _at_vertices(found: ReadMesh, mesh: TriangleMesh) -> tuple[float | None, float | None]:
    """Largest differences of colours and normals at the nearest vertices; None for what the library does not read."""
    _, nearest = KDTree(mesh.vertices).query(found.vertices)
    pairs = ((found.colors, mesh.colors), (found.normals, mesh.normals))
    colors, normals = (None if f is None or m is None else _max_difference(f, m[nearest]) for f, m in pairs)
    return colors, normals


def _as_triangles(found: ReadMesh, mesh: TriangleMesh) -> float:
    """Largest difference of a triangle corner, in any order of vertices and faces; infinite if faces are lost."""
    if found.faces.shape != mesh.faces.shape:
        return float("inf")
    middle = mesh.vertices.mean(axis=0)
    corners = (np.asarray(found.vertices, np.float64) - middle)[found.faces]
    original = (mesh.vertices - middle)[mesh.faces]
    _, nearest = KDTree(original.mean(axis=1)).query(corners.mean(axis=1))
    expected = original[nearest]
    turned = np.stack([np.roll(corners, shift, axis=1) for shift in range(3)])
    return float(np.abs(turned - expected).max(axis=(2, 3)).min(axis=0).max())


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Formats a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _texts(*values: float | None) -> tuple[str, ...]:
    return tuple(map(_text, values))


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    return "exact" if value == 0 else f"{value:.0e}"


def main() -> None:
    """Prints the tables of scans, meshes and grids."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scans = [
            (r.format, r.library, *_texts(*r.points.values(), *r.rounding.values(), r.colors, r.normals, r.sensors))
            for r in input_rows(folder)
        ]
        meshes = [
            (r.format, r.library, *_texts(*r.points.values()), "same" if r.faces else "differ", *extra)
            for r in output_rows(folder)
            for extra in [_texts(r.colors, r.normals)]
        ]
        typer.echo(markdown(INPUT_HEAD, scans))
        typer.echo("")
        typer.echo(markdown(OUTPUT_HEAD, meshes))
        typer.echo("")
        typer.echo(markdown(GRID_HEAD, grid_rows(folder)))


if __name__ == "__main__":
    typer.run(main)
