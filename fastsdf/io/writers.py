# SPDX-License-Identifier: MIT
"""Writes meshes and point clouds atomically, without losing precision on large coordinates."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from plyfile import PlyData, PlyElement

from fastsdf.config.units import metres_per
from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.io.atomic import atomic_path
from fastsdf.io.attributes import COLOR_NAMES, NORMAL_NAMES, POINT_NAMES, SENSOR_NAMES
from fastsdf.io.formats.usd import USD_SUFFIXES, load_pxr, write_usd
from fastsdf.io.offsets import needs_float64, sidecar_path, storage_offset

if TYPE_CHECKING:
    import trimesh

# Formats of `write_mesh`.
WRITE_SUFFIXES = (".ply", ".obj", ".glb", ".stl", *USD_SUFFIXES)
Y_UP_SUFFIXES = (".obj", ".glb", *USD_SUFFIXES)  # formats whose viewers expect y to point up


def write_mesh(mesh: TriangleMesh, path: str | Path, up: str = "z", units: str = "m") -> None:
    """Write a mesh as PLY (binary little-endian), OBJ, GLB, STL or USD (.usda, .usdc), depending on the suffix.

    Coordinates that float32 would round by more than 10 micrometres are stored as double in PLY, with a node
    translation in GLB and USD, and with an offset in ``<name>.stl.offset.json`` for STL. OBJ text has 6 decimals. The
    axes are those of the scan unless ``up`` is ``y``.

    Args:
        mesh: mesh in metres, with at least one face. Normals and colours are written if present (not in STL),
            attributes in PLY and USD.
        path: the file; its folder is created if it does not exist, and an existing file is replaced atomically.
        up: ``y`` rotates a mesh with z up so that y points up (x, y, z -> x, z, -y), as viewers of OBJ and GLB expect.
        units: units of the file's coordinates: m, cm, mm, ft or in. USD files store the unit, GLB is always in metres.

    Raises:
        InputError: the suffix, ``up`` or ``units`` is unknown or their combination is not supported, the mesh is empty
            or its attributes are invalid, a package is missing, or the file cannot be written.

    >>> import fastsdf, numpy as np
    >>> mesh = fastsdf.TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    >>> fastsdf.write_mesh(mesh, "mesh.obj")
    >>> fastsdf.write_mesh(mesh, "mesh.glb", up="y")
    """
    path = Path(path)
    check_mesh_path(path, up, units)
    if len(mesh.faces) == 0:
        raise InputError(f"{path}: the mesh has no faces, nothing to write")
    mesh, metres = mesh.moved(file_matrix(up, units)), metres_per(units)
    suffix = path.suffix.lower()
    if suffix == ".stl":
        _write_stl(mesh, path, metres)
        return
    with atomic_path(path) as temporary:
        if suffix == ".ply":
            vertices = _vertex_records(mesh.vertices, mesh.normals, mesh.colors, None, mesh.attributes, metres)
            _write_ply(temporary, vertices, mesh.faces)
        elif suffix in USD_SUFFIXES:
            write_usd(mesh, storage_offset(mesh.vertices, metres), temporary, metres, up)
        else:
            temporary.write_bytes(_obj_bytes(mesh) if suffix == ".obj" else _glb_bytes(mesh))


def check_mesh_path(path: Path, up: str = "z", units: str = "m") -> None:
    """Check that `write_mesh` can write a file with this suffix, axis and units.

    Raises:
        InputError: one of them is unknown, their combination is not supported, or a package is missing.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITE_SUFFIXES:
        raise InputError(f"{path}: unknown mesh suffix '{path.suffix}'; give one of {', '.join(WRITE_SUFFIXES)}")
    if up not in ("y", "z"):
        raise InputError(f"the up axis is '{up}'; give y or z")
    if up == "y" and suffix not in Y_UP_SUFFIXES:
        raise InputError(f"{path}: {suffix} files keep the axes of the scan; write .obj, .glb or .usda to have y up")
    metres_per(units)
    if units != "m" and suffix == ".glb":
        raise InputError(f"{path}: GLB files are in metres by their standard, not in {units}; write .usda or .ply")
    if suffix in USD_SUFFIXES:
        load_pxr("Usd")


def file_matrix(up: str, units: str) -> np.ndarray:
    """(4, 4) transformation from metres with z up to the units and the up axis of a file."""
    matrix = np.eye(4)
    if up == "y":
        matrix[1:3, 1:3] = [[0.0, 1.0], [-1.0, 0.0]]
    matrix[:3, :3] /= metres_per(units)
    return matrix


def write_point_cloud(cloud: PointCloud, path: str | Path, attributes: Mapping[str, np.ndarray] | None = None) -> None:
    """Write points, normals, colours and sensor positions (sx sy sz) as a binary little-endian PLY.

    Positions that float32 would round by more than 10 micrometres are stored as double.

    Args:
        cloud: n points with their attributes.
        path: the file, .ply.
        attributes: further values per point, name -> (n,).

    Raises:
        InputError: the suffix is not .ply, an attribute is invalid, or the file cannot be written.

    >>> import fastsdf, numpy as np
    >>> cloud = fastsdf.PointCloud(np.random.default_rng(0).random((500, 3)))
    >>> fastsdf.write_point_cloud(cloud, "scan.ply")
    >>> len(fastsdf.read_point_cloud("scan.ply"))
    500
    """
    path = Path(path)
    if path.suffix.lower() != ".ply":
        raise InputError(f"{path}: point clouds are written as .ply only, got '{path.suffix}'")
    with atomic_path(path) as temporary:
        vertices = _vertex_records(cloud.points, cloud.normals, cloud.colors, cloud.sensors, attributes)
        _write_ply(temporary, vertices, None)


def _vertex_records(
    points: np.ndarray,
    normals: np.ndarray | None,
    colors: np.ndarray | None,
    sensors: np.ndarray | None,
    attributes: Mapping[str, np.ndarray] | None = None,
    metres: float = 1.0,
) -> np.ndarray:
    groups = (
        (POINT_NAMES, points, "<f8" if needs_float64(points, metres) else "<f4"),
        (NORMAL_NAMES[0], normals, "<f4"),
        (COLOR_NAMES[0], colors, "u1"),
        (SENSOR_NAMES, sensors, "<f8" if sensors is not None and needs_float64(sensors) else "<f4"),
    )
    present = [(names, values, kind) for names, values, kind in groups if values is not None]
    columns = [(name, kind) for names, _, kind in present for name in names]
    further = {name: np.asarray(values) for name, values in (attributes or {}).items()}
    _check_attributes(further, len(points), {name for name, _ in columns})
    records = np.empty(len(points), dtype=columns + [(name, _ply_kind(values)) for name, values in further.items()])
    for names, values, _ in present:
        for axis, name in enumerate(names):
            records[name] = values[:, axis]
    for name, values in further.items():
        records[name] = values
    return records


def _check_attributes(attributes: Mapping[str, np.ndarray], count: int, taken: set[str]) -> None:
    for name, values in attributes.items():
        if values.shape != (count,) or values.dtype.kind not in "buif":
            raise InputError(f"attribute '{name}' must be ({count},) numbers, got {values.dtype} of {values.shape}")
        if name in taken or not name.isidentifier():
            raise InputError(f"attribute '{name}' needs an unused name, made of letters, digits and underscores")


def _ply_kind(values: np.ndarray) -> str:
    """PLY type of an attribute: float for floating point, uchar for 8-bit unsigned and bool, else int."""
    if values.dtype.kind == "f":
        return "<f4"
    return "u1" if values.dtype.kind in "bu" and values.dtype.itemsize == 1 else "<i4"


def _write_ply(path: Path, vertices: np.ndarray, faces: np.ndarray | None) -> None:
    """Write the header with plyfile and the data as packed arrays, because plyfile writes lists slowly, row by row."""
    elements = [PlyElement.describe(vertices, "vertex")]
    packed = np.empty(0 if faces is None else len(faces), dtype=[("count", "u1"), ("vertex_indices", "<i4", (3,))])
    if faces is not None:
        packed["count"], packed["vertex_indices"] = 3, faces
        declared = np.empty(len(faces), dtype=[("vertex_indices", "<i4", (3,))])  # for the header only
        elements.append(PlyElement.describe(declared, "face", {"vertex_indices": "u1"}, {"vertex_indices": "i4"}))
    header = PlyData(elements, byte_order="<", comments=["written by fastsdf"]).header
    with open(path, "wb") as stream:
        stream.write(f"{header}\n".encode("ascii"))
        vertices.tofile(stream)
        packed.tofile(stream)


def _write_stl(mesh: TriangleMesh, path: Path, metres: float) -> None:
    offset = storage_offset(mesh.vertices, metres)
    data = _as_bytes(_to_trimesh(mesh, offset).export(file_type="stl"))
    sidecar = sidecar_path(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
        if offset.any():
            with atomic_path(sidecar) as note:
                note.write_text(json.dumps({"offset": offset.tolist()}) + "\n", encoding="utf-8")
        else:
            sidecar.unlink(missing_ok=True)  # The offset of an older mesh would shift this one.


def _obj_bytes(mesh: TriangleMesh) -> bytes:
    part = _to_trimesh(mesh, np.zeros(3))
    normals = mesh.normals is not None
    return _as_bytes(part.export(file_type="obj", digits=6, include_normals=normals, header="written by fastsdf"))


def _glb_bytes(mesh: TriangleMesh) -> bytes:
    offset = storage_offset(mesh.vertices)
    transform = np.eye(4)
    transform[:3, 3] = offset
    scene = _import_trimesh().Scene()
    scene.add_geometry(_to_trimesh(mesh, offset), node_name="mesh", geom_name="mesh", transform=transform)
    return _as_bytes(scene.export(file_type="glb", include_normals=mesh.normals is not None))


def _as_bytes(exported: Any) -> bytes:
    return exported.encode("utf-8") if isinstance(exported, str) else bytes(exported)


def _to_trimesh(mesh: TriangleMesh, offset: np.ndarray) -> "trimesh.Trimesh":
    return _import_trimesh().Trimesh(
        vertices=mesh.vertices - offset,
        faces=mesh.faces,
        vertex_normals=mesh.normals,
        vertex_colors=mesh.colors,
        process=False,
    )


def _import_trimesh() -> ModuleType:
    try:
        import trimesh
    except ImportError as error:
        raise InputError("writing GLB and STL needs trimesh: install it, or write .ply") from error
    return trimesh
