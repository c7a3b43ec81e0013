# SPDX-License-Identifier: MIT
"""Writes scans with libraries other than fastsdf, for `round_trips.py`.

Each function writes one file and returns what the file contains, which can be rounded or incomplete.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastsdf.errors import InputError
from fastsdf.system.open3d_library import load_open3d

UTM = np.array([412_345.678, 5_612_345.321, 123.456])  # metres; typical UTM coordinates in central Europe
LAS_SCALE_M = 1e-4  # metres; step of the integer coordinates, chosen


class Scan(NamedTuple):
    """Points (n, 3), normals (n, 3), colours (n, 3) uint8 and sensors (n, 3); None where the file has none."""

    points: np.ndarray
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    sensors: np.ndarray | None = None


Writer = Callable[[Scan, Path], Scan]


def _ply(scan: Scan, path: Path, kind: str, text: bool, order: str) -> Scan:
    from plyfile import PlyData, PlyElement

    groups = (("x y z", scan.points, kind), ("nx ny nz", scan.normals, kind), ("sx sy sz", scan.sensors, kind))
    columns = [(n, k, v[:, i]) for names, v, k in groups for i, n in enumerate(names.split()) if v is not None]
    columns += [(n, "u1", scan.colors[:, i]) for i, n in enumerate(("red", "green", "blue"))]
    rows = np.empty(len(scan.points), dtype=[(name, k) for name, k, _ in columns])
    for name, _, values in columns:
        rows[name] = values
    PlyData([PlyElement.describe(rows, "vertex")], text=text, byte_order=order).write(str(path))
    held = [np.asarray(v, kind).astype(np.float64) for v in (scan.points, scan.normals, scan.sensors)]
    return Scan(held[0], _unit(held[1]), scan.colors, held[2])


def ply_double(scan: Scan, path: Path) -> Scan:
    """Binary, little endian, double precision."""
    return _ply(scan, path, "f8", False, "<")


def ply_big_endian(scan: Scan, path: Path) -> Scan:
    """Binary, big endian, double precision."""
    return _ply(scan, path, "f8", False, ">")


def ply_float(scan: Scan, path: Path) -> Scan:
    """Binary, single precision: coordinates are rounded."""
    return _ply(scan, path, "f4", False, "<")


def ply_text(scan: Scan, path: Path) -> Scan:
    """Text, double precision with 17 digits."""
    return _ply(scan, path, "f8", True, "=")


def ply_open3d(scan: Scan, path: Path) -> Scan:
    """Open3D writes double precision."""
    _open3d().io.write_point_cloud(str(path), _open3d_cloud(scan))
    return scan._replace(sensors=None)


def ply_trimesh(scan: Scan, path: Path) -> Scan:
    """trimesh writes single precision."""
    import trimesh

    alpha = np.full((len(scan.points), 1), 255, np.uint8)
    trimesh.PointCloud(scan.points, colors=np.hstack((scan.colors, alpha))).export(str(path))
    return Scan(scan.points.astype(np.float32).astype(np.float64), None, scan.colors)


def pcd_open3d(scan: Scan, path: Path) -> Scan:
    """Open3D chooses the precision, so the file is read back to find out what it contains."""
    open3d = _open3d()
    open3d.io.write_point_cloud(str(path), _open3d_cloud(scan))
    reread = open3d.io.read_point_cloud(str(path))
    return Scan(np.asarray(reread.points), _unit(np.asarray(reread.normals)), scan.colors)


def pcd_numpy(scan: Scan, path: Path) -> Scan:
    """Binary, double precision, with a viewpoint, as PCL writes such points."""
    _open3d()  # fastsdf reads PCD files with Open3D
    sensor = scan.sensors[0]
    head = (
        "# .PCD v0.7 - Point Cloud Data file format", "VERSION 0.7", "FIELDS x y z", "SIZE 8 8 8", "TYPE F F F",
        "COUNT 1 1 1", f"WIDTH {len(scan.points)}", "HEIGHT 1", f"VIEWPOINT {' '.join(_words(sensor))} 1 0 0 0",
        f"POINTS {len(scan.points)}", "DATA binary",
    )  # fmt: skip
    path.write_bytes("\n".join((*head, "")).encode() + scan.points.astype("<f8").tobytes())
    return Scan(scan.points, sensors=np.tile(sensor, (len(scan.points), 1)))


def xyz_numpy(scan: Scan, path: Path) -> Scan:
    """Text columns without a header: points, normals, colours."""
    np.savetxt(path, np.hstack((scan.points, scan.normals, scan.colors)), fmt=["%.17g"] * 6 + ["%d"] * 3)
    return scan._replace(sensors=None)


def csv_numpy(scan: Scan, path: Path) -> Scan:
    """Text columns with a header: points, normals, colours and sensors."""
    names = "x,y,z,nx,ny,nz,r,g,b,sx,sy,sz"
    table = np.hstack((scan.points, scan.normals, scan.colors, scan.sensors))
    np.savetxt(path, table, fmt=["%.17g"] * 6 + ["%d"] * 3 + ["%.17g"] * 3, delimiter=",", header=names, comments="")
    return scan


def pts_numpy(scan: Scan, path: Path) -> Scan:
    """The number of points, then points with an intensity and a colour."""
    table = np.hstack((scan.points, np.full((len(scan.points), 1), -500), scan.colors))
    np.savetxt(path, table, fmt=["%.17g"] * 3 + ["%d"] * 4, header=str(len(table)), comments="")
    return Scan(scan.points, None, scan.colors)


def ptx_numpy(scan: Scan, path: Path) -> Scan:
    """Two scans in the frames of their scanners, with the matrices to world coordinates."""
    turn, text = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), []
    for sensor in np.unique(scan.sensors, axis=0):
        own = (scan.sensors == sensor).all(axis=1)
        local = (scan.points[own] - sensor) @ turn
        matrix = np.vstack((np.column_stack((turn.T, np.zeros(3))), [*sensor, 1.0]))
        head = [["1"], [str(len(local))], _words(sensor), *map(_words, turn.T), *map(_words, matrix)]
        lines = [[*_words(p), "0.5", *map(str, c)] for p, c in zip(local, scan.colors[own].tolist(), strict=True)]
        text += [" ".join(words) for words in (*head, *lines)]
    path.write_text("\n".join(text) + "\n")
    order = np.concatenate([np.flatnonzero((scan.sensors == s).all(axis=1)) for s in np.unique(scan.sensors, axis=0)])
    return Scan(scan.points[order], None, scan.colors[order], scan.sensors[order])


def npy_numpy(scan: Scan, path: Path) -> Scan:
    """One array with the columns of points and normals."""
    np.save(path, np.hstack((scan.points, scan.normals)))
    return Scan(scan.points, scan.normals)


def npz_numpy(scan: Scan, path: Path) -> Scan:
    """Named arrays."""
    np.savez(path, points=scan.points, normals=scan.normals, colors=scan.colors, sensors=scan.sensors)
    return scan


def las_laspy(scan: Scan, path: Path) -> Scan:
    """Point format 7 with steps of 0.1 mm, 16-bit colours, and sensors and normals as extra dimensions."""
    import laspy

    header = laspy.LasHeader(point_format=7, version="1.4")
    header.scales, header.offsets = np.full(3, LAS_SCALE_M), np.floor(scan.points.min(axis=0))
    for name in ("sx", "sy", "sz", "nx", "ny", "nz"):
        header.add_extra_dim(laspy.ExtraBytesParams(name=name, type=np.float64))
    las = laspy.LasData(header)
    las.x, las.y, las.z = scan.points.T
    las.red, las.green, las.blue = (257 * scan.colors.astype(np.uint16)).T
    for names, values in ((("sx", "sy", "sz"), scan.sensors), (("nx", "ny", "nz"), scan.normals)):
        for name, column in zip(names, values.T, strict=True):
            las[name] = column
    las.write(str(path))
    steps = np.rint((scan.points - header.offsets) / LAS_SCALE_M)
    return scan._replace(points=steps * LAS_SCALE_M + header.offsets)


def e57_pye57(scan: Scan, path: Path) -> Scan:
    """Two scans in coordinates relative to their scanners, with the poses of the scanners."""
    import pye57

    sensors, parts = np.unique(scan.sensors, axis=0), []
    with pye57.E57(str(path), mode="w") as image:
        for sensor in sensors:
            own = np.flatnonzero((scan.sensors == sensor).all(axis=1))
            local = scan.points[own] - sensor
            columns = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), local.T.copy(), strict=True))
            columns |= dict(zip(("colorRed", "colorGreen", "colorBlue"), scan.colors[own].T.copy(), strict=True))
            image.write_scan_raw(columns, rotation=np.array([1.0, 0.0, 0.0, 0.0]), translation=sensor)
            parts.append(own)
    order = np.concatenate(parts)
    with pye57.E57(str(path)) as image:
        held = np.vstack([_raw_e57(image, i) + sensor for i, sensor in enumerate(sensors)])
    return Scan(held, None, scan.colors[order], scan.sensors[order])


def _raw_e57(image: object, index: int) -> np.ndarray:
    raw = image.read_scan_raw(index)  # type: ignore[attr-defined]
    return np.stack([raw[name] for name in ("cartesianX", "cartesianY", "cartesianZ")], axis=1)


def mesh_trimesh(scan: Scan, path: Path) -> Scan:
    """A mesh whose triangles have the points as corners; the number of points must be a multiple of three."""
    import trimesh

    mesh = trimesh.Trimesh(scan.points, np.arange(len(scan.points)).reshape(-1, 3), process=False)
    mesh.export(str(path), **({} if path.suffix == ".glb" else {"digits": 12}))
    return Scan(scan.points.astype(np.float32).astype(np.float64) if path.suffix == ".glb" else scan.points.round(12))


def _open3d() -> Any:
    """The module open3d; raises ImportError if it is missing or cannot be loaded."""
    try:
        return load_open3d()
    except InputError as error:
        raise ImportError(str(error)) from error


def _open3d_cloud(scan: Scan) -> Any:
    open3d = _open3d()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(scan.points))
    cloud.normals = open3d.utility.Vector3dVector(scan.normals)
    cloud.colors = open3d.utility.Vector3dVector(scan.colors / 255.0)
    return cloud


def _unit(normals: np.ndarray) -> np.ndarray:
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _words(values: np.ndarray) -> list[str]:
    return [repr(float(value)) for value in values]


WRITERS: dict[tuple[str, str], Writer] = {
    (".ply, double", "plyfile"): ply_double,
    (".ply, big endian", "plyfile"): ply_big_endian,
    (".ply, float", "plyfile"): ply_float,
    (".ply, text", "plyfile"): ply_text,
    (".ply", "open3d"): ply_open3d,
    (".ply", "trimesh"): ply_trimesh,
    (".pcd", "open3d"): pcd_open3d,
    (".pcd, double", "numpy"): pcd_numpy,
    (".xyz", "numpy"): xyz_numpy,
    (".csv", "numpy"): csv_numpy,
    (".pts", "numpy"): pts_numpy,
    (".ptx", "numpy"): ptx_numpy,
    (".npy", "numpy"): npy_numpy,
    (".npz", "numpy"): npz_numpy,
    (".las", "laspy"): las_laspy,
    (".laz", "laspy, lazrs"): las_laspy,
    (".e57", "pye57"): e57_pye57,
    (".obj mesh", "trimesh"): mesh_trimesh,
    (".off mesh", "trimesh"): mesh_trimesh,
    (".glb mesh", "trimesh"): mesh_trimesh,
}
