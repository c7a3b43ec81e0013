# SPDX-License-Identifier: MIT
"""Reads meshes and grids written by fastsdf with other libraries, for `round_trips.py`."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import BLOCK, DistanceGrid
from fastsdf.io.formats.vdb import load_openvdb
from fastsdf.system.open3d_library import load_open3d


class ReadMesh(NamedTuple):
    """A mesh as a library reads it.

    Attributes:
        vertices: (v, 3) world coordinates.
        faces: (f, 3) vertex indices.
        colors: (v, 3) from 0 to 255, or None.
        normals: (v, 3), or None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None = None
    normals: np.ndarray | None = None


def by_plyfile(path: Path) -> ReadMesh:
    """Reads PLY."""
    from plyfile import PlyData

    data = PlyData.read(str(path))
    vertex = data["vertex"]
    groups = ("x y z", "red green blue", "nx ny nz")
    vertices, colors, normals = (np.stack([vertex[n] for n in names.split()], axis=1) for names in groups)
    return ReadMesh(vertices, np.vstack(data["face"]["vertex_indices"]), colors, normals)


def by_trimesh(path: Path) -> ReadMesh:
    """Reads all formats except USD; the offset of an STL file comes from the file beside it."""
    import trimesh

    read = trimesh.load(str(path), force="mesh", process=False)
    colors = np.asarray(read.visual.vertex_colors)[:, :3] if read.visual.kind == "vertex" else None
    vertices = np.asarray(read.vertices) + _stl_offset(path)
    return ReadMesh(vertices, np.asarray(read.faces), colors)  # trimesh computes its own normals


def by_open3d(path: Path) -> ReadMesh:
    """Reads PLY, OBJ, STL and GLB."""
    try:
        open3d = load_open3d()
    except InputError as error:
        raise ImportError(str(error)) from error
    read = open3d.io.read_triangle_mesh(str(path))
    colors = 255 * np.asarray(read.vertex_colors) if read.has_vertex_colors() else None
    known = read.has_vertex_normals() and path.suffix != ".stl"  # Open3D computes the normals of an STL file
    normals = np.asarray(read.vertex_normals) if known else None
    return ReadMesh(np.asarray(read.vertices) + _stl_offset(path), np.asarray(read.triangles), colors, normals)


def by_meshio(path: Path) -> ReadMesh:
    """Reads PLY, OBJ and STL; meshio ignores the colours and normals of OBJ files."""
    import meshio

    read = meshio.read(str(path))
    data = read.point_data
    names = (("red", "green", "blue"), ("nx", "ny", "nz"))
    colors, normals = (np.stack([data[n] for n in g], axis=1) if set(g) <= set(data) else None for g in names)
    colors = None if colors is None else colors.astype(np.uint8)  # meshio reads uchar as char
    return ReadMesh(read.points[:, :3] + _stl_offset(path), read.cells_dict["triangle"], colors, normals)


def by_pygltflib(path: Path) -> ReadMesh:
    """Reads GLB, accessor by accessor, and applies the transform of its node."""
    import pygltflib

    content = pygltflib.GLTF2().load(str(path))
    blob, primitive = content.binary_blob(), content.meshes[0].primitives[0]
    kinds = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
    widths = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}

    def array(index: int) -> np.ndarray:
        accessor = content.accessors[index]
        view = content.bufferViews[accessor.bufferView]
        start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        width = widths[accessor.type]
        kind = kinds[accessor.componentType]
        return np.frombuffer(blob, kind, accessor.count * width, start).reshape(-1, width)

    node = next(n for n in content.nodes if n.mesh is not None)
    matrix = np.eye(4) if node.matrix is None else np.array(node.matrix).reshape(4, 4).T
    matrix[:3, 3] += 0.0 if node.translation is None else node.translation
    attributes = primitive.attributes
    vertices = array(attributes.POSITION).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    colors = array(attributes.COLOR_0)[:, :3] if attributes.COLOR_0 is not None else None
    normals = array(attributes.NORMAL) if attributes.NORMAL is not None else None
    return ReadMesh(vertices, array(primitive.indices).reshape(-1, 3).astype(np.int64), colors, normals)


def by_pxr(path: Path) -> ReadMesh:
    """Reads USD with the official library, and converts the colours from linear to sRGB."""
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.Open(str(path))  # keeps the prim alive
    prim = UsdGeom.Mesh(stage.GetDefaultPrim())
    matrix = np.array(prim.ComputeLocalToWorldTransform(Usd.TimeCode.Default()))
    vertices = np.array(prim.GetPointsAttr().Get(), np.float64) @ matrix[:3, :3] + matrix[3, :3]
    linear = np.array(UsdGeom.PrimvarsAPI(prim).GetPrimvar("displayColor").Get(), np.float64)
    faces = np.array(prim.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    return ReadMesh(vertices, faces, _srgb(linear), np.array(prim.GetNormalsAttr().Get()))


def by_text(path: Path) -> ReadMesh:
    """Reads USD text without any library."""
    text = path.read_text()
    shift = re.findall(r"double3 xformOp:translate = \((.*)\)", text)
    offset = np.array([float(v) for v in shift[0].split(",")]) if shift else np.zeros(3)
    names = ("point3f[] points", "normal3f[] normals", "int[] faceVertexIndices", "color3f[] primvars:displayColor")
    points, normals, faces, colors = (_usd_array(text, name) for name in names)
    return ReadMesh(points + offset, faces.reshape(-1, 3).astype(np.int64), _srgb(colors), normals)


def npz_by_numpy(path: Path, _: DistanceGrid) -> tuple[np.ndarray, np.ndarray]:
    """World position of the first node of the first block, and the values of that block."""
    grid = np.load(path)
    return grid["origin_m"] + grid["voxel_size_m"] * grid["blocks"][0], grid["values"][0]


def npz_by_zipfile(path: Path, _: DistanceGrid) -> tuple[np.ndarray, np.ndarray]:
    """The same from the bytes of the files in the archive."""
    with zipfile.ZipFile(path) as archive:
        names = ("origin_m", "voxel_size_m", "blocks", "values")
        origin, voxel, blocks, values = (_npy_bytes(archive.read(f"{name}.npy")) for name in names)
    return origin + voxel * blocks[0], values[0]


def vdb_by_openvdb(path: Path, _: DistanceGrid) -> tuple[np.ndarray, np.ndarray]:
    """The same with OpenVDB, if its Python module is installed."""
    grid = load_openvdb().read(str(path), "sdf")
    values = np.zeros((BLOCK,) * 3, np.float32)
    grid.copyToArray(values, ijk=(8, 0, 0))
    return np.array(grid.transform.indexToWorld((8, 0, 0))), values


def vdb_by_tinyvdb(path: Path, _: DistanceGrid) -> tuple[np.ndarray, np.ndarray]:
    """The same with tinyvdb, an independent reader of OpenVDB files."""
    import tinyvdb

    file = tinyvdb.open(str(path))
    file.read_grids()
    grid = file.grid(0)
    found = grid.to_sparse()
    index = np.frombuffer(found["coords"], np.int32).reshape(-1, 3)
    values = np.full((BLOCK,) * 3, np.nan, np.float32)
    values[tuple((index - (8, 0, 0)).T)] = np.frombuffer(found["values"], np.float32)
    scale, shift = (np.array(grid.transform[key]) for key in ("scale", "translation"))
    return scale * (8, 0, 0) + shift, values


def _npy_bytes(content: bytes) -> np.ndarray:
    """The array in the bytes of an .npy file of version 1: magic string, header length, header, data."""
    length = int.from_bytes(content[8:10], "little")
    header = content[10 : 10 + length].decode("latin-1")
    kind = re.findall(r"'descr': '([^']+)'", header)[0]
    shape = tuple(int(n) for n in re.findall(r"'shape': \(([^)]*)\)", header)[0].split(",") if n.strip())
    return np.frombuffer(content, kind, offset=10 + length).reshape(shape)


def _usd_array(text: str, name: str) -> np.ndarray:
    content = re.search(rf"\b{re.escape(name)} = \[(.*?)\](?: \(|\n)", text)
    assert content is not None, name
    values = np.array([float(v) for v in re.findall(r"[-+.\de]+", content.group(1))])
    return values.reshape(-1, 3) if "(" in content.group(1) else values


def _srgb(linear: np.ndarray) -> np.ndarray:
    value = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return np.rint(255 * value)


def _stl_offset(path: Path) -> Any:
    beside = path.with_name(path.name + ".offset.json")
    return np.array(json.loads(beside.read_text())["offset"]) if path.suffix == ".stl" and beside.exists() else 0.0


READERS: dict[tuple[str, str], Callable[[Path], ReadMesh]] = {
    (".ply", "plyfile"): by_plyfile,
    (".ply", "trimesh"): by_trimesh,
    (".ply", "open3d"): by_open3d,
    (".ply", "meshio"): by_meshio,
    (".obj", "trimesh"): by_trimesh,
    (".obj", "open3d"): by_open3d,
    (".obj", "meshio"): by_meshio,
    (".glb", "trimesh"): by_trimesh,
    (".glb", "open3d"): by_open3d,
    (".glb", "pygltflib"): by_pygltflib,
    (".stl", "trimesh"): by_trimesh,
    (".stl", "open3d"): by_open3d,
    (".stl", "meshio"): by_meshio,
    (".usda", "usd-core"): by_pxr,
    (".usda", "its text"): by_text,
    (".usdc", "usd-core"): by_pxr,
}
GRID_READERS: dict[tuple[str, str], Callable[[Path, DistanceGrid], tuple[np.ndarray, np.ndarray]]] = {
    (".npz", "numpy"): npz_by_numpy,
    (".npz", "its bytes"): npz_by_zipfile,
    (".vdb", "openvdb"): vdb_by_openvdb,
    (".vdb", "tinyvdb"): vdb_by_tinyvdb,
}
