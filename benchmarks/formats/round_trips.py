# SPDX-License-Identifier: MIT
"""Round trips of every file format through independent libraries, as the Markdown tables of docs/evidence/formats.md.

    python -m benchmarks.formats.round_trips

Scans are written by other libraries (laspy, pye57, plyfile, open3d, trimesh, numpy) and read by fastsdf; meshes and
grids are written by fastsdf and read by others (meshio and pygltflib, too, where they are installed). Figures are the
largest deviations that are found, at coordinates near the origin and at those of a UTM zone. A library that is missing
leaves its row out.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from scipy.spatial import KDTree

from benchmarks.formats.round_trip_readers import GRID_READERS, READERS, Found
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
    """A round trip: its format, the other library, and what deviates by how much; None: the format has no such thing.

    Attributes:
        points: largest deviation of a coordinate from what the file holds, metres, by origin.
        rounding: largest deviation of the file from what it was written from, metres, by origin.
        colors: largest deviation of a colour, of 255.
        normals: largest deviation of a component.
        sensors: largest deviation of a coordinate, metres.
        faces: whether they are the same.
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
    """Random points of a room with colours, normals and sensors; equal calls give equal scans."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-4.0, 4.0, (count, 3)) + origin
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    places = np.sort(np.round(rng.uniform(-1.0, 1.0, (2, 3)), 3), axis=0)  # one after the other, as files hold scans
    sensors = places[np.arange(count) // (count // 2)] + origin
    return Scan(points, normals, rng.integers(0, 256, (count, 3)).astype(np.uint8), sensors)


def input_rows(folder: Path) -> list[Row]:
    """One row per input format and library that writes it here."""
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
                found[name] = (_apart(points, held.points), _apart(held.points, scan.points))
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
    """One row per mesh format and library that reads it here."""
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
    """One row per grid format and library that reads it here: positions at both origins, values."""
    rows = []
    for (suffix, library), read in GRID_READERS.items():
        places, value = [], 0.0
        try:
            for name, origin in ORIGINS.items():
                grid, path = grid_of(origin), folder / f"{name}{suffix}"
                write_grid(grid, path)
                corner, values = read(path, grid)
                places.append(_text(_apart(corner, grid.origin_m + grid.voxel_size_m * np.array([8, 0, 0]))))
                value = max(value, float(np.abs(values - grid.values[0]).max()))
        except (ImportError, InputError):  # OpenVDB is in no package index
            rows.append((suffix, library, "not installed here", "", ""))
            continue
        rows.append((suffix, library, *places, _text(value)))
    return rows


def grid_of(origin: np.ndarray) -> DistanceGrid:
    """A band of one block around a plane; its values lie within the band."""
    blocks = np.array([[8, 0, 0]], np.int32)
    values = 0.01 * (np.indices((BLOCK,) * 3)[0] - 3.5).astype(np.float32)[None]
    return DistanceGrid(np.asarray(origin, np.float64), 0.05, values, blocks, 0.15)


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(found, np.float64) - expected).max())


def _deviation(found: np.ndarray | None, expected: np.ndarray | None) -> float | None:
    """Largest deviation; None where nothing was written; infinite where it was lost."""
    if expected is None:
        return None
    return float("inf") if found is None else _apart(found, expected)


def _at_vertices(found: Found, mesh: TriangleMesh) -> tuple[float | None, float | None]:
    """Deviations of colours and normals, vertex by nearest vertex; None for what the library does not read."""
    _, nearest = KDTree(mesh.vertices).query(found.vertices)
    pairs = ((found.colors, mesh.colors), (found.normals, mesh.normals))
    colors, normals = (None if f is None or m is None else _apart(f, m[nearest]) for f, m in pairs)
    return colors, normals


def _as_triangles(found: Found, mesh: TriangleMesh) -> float:
    """Largest distance of a triangle's corner, whatever the order of vertices and faces; infinite if some are lost."""
    if found.faces.shape != mesh.faces.shape:
        return float("inf")
    middle = mesh.vertices.mean(axis=0)
    corners = (np.asarray(found.vertices, np.float64) - middle)[found.faces]
    wanted = (mesh.vertices - middle)[mesh.faces]
    _, nearest = KDTree(wanted.mean(axis=1)).query(corners.mean(axis=1))
    expected = wanted[nearest]
    turned = np.stack([np.roll(corners, shift, axis=1) for shift in range(3)])
    return float(np.abs(turned - expected).max(axis=(2, 3)).min(axis=0).max())


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _texts(*values: float | None) -> tuple[str, ...]:
    return tuple(map(_text, values))


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    return "exact" if value == 0 else f"{value:.0e}"


def main() -> None:
    """Prints the tables."""
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
