# SPDX-License-Identifier: MIT
"""Writing meshes and point clouds: whole files only, and no precision lost on large coordinates."""

import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from plyfile import PlyData, PlyElement

from fastsdf.errors import InputError
from fastsdf.io.atomic import atomic_path
from fastsdf.io.attributes import COLOR_NAMES, NORMAL_NAMES, POINT_NAMES, SENSOR_NAMES
from fastsdf.io.offsets import needs_float64, sidecar_path, storage_offset
from fastsdf.scan import PointCloud, TriangleMesh

if TYPE_CHECKING:
    import trimesh

WRITE_SUFFIXES = (".ply", ".obj", ".glb", ".stl")


def write_mesh(mesh: TriangleMesh, path: str | Path) -> None:
    """Write a mesh as PLY (binary little endian), OBJ, GLB or STL, by suffix.

    Coordinates too large for float32 (it would lose more than 10 micrometres) become double in PLY, a node translation
    in GLB, and an offset in ``<name>.stl.offset.json`` in STL. OBJ text has 6 decimals. Axes are never changed.

    Args:
        mesh: at least one face; normals and colours are written when present (STL holds neither).
        path: the file; its folder is made when missing, an older file is replaced at once or not at all.

    Raises:
        InputError: the suffix is unknown, the mesh is empty, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITE_SUFFIXES:
        raise InputError(f"{path}: unknown mesh suffix '{path.suffix}', known are {', '.join(WRITE_SUFFIXES)}")
    if len(mesh.faces) == 0:
        raise InputError(f"{path}: the mesh has no faces, nothing to write")
    if suffix == ".stl":
        _write_stl(mesh, path)
        return
    with atomic_path(path) as temporary:
        if suffix == ".ply":
            vertices = _vertex_rows(mesh.vertices, mesh.normals, mesh.colors, None)
            _write_ply(temporary, vertices, mesh.faces)
        else:
            temporary.write_bytes(_obj_bytes(mesh) if suffix == ".obj" else _glb_bytes(mesh))


def write_point_cloud(cloud: PointCloud, path: str | Path) -> None:
    """Write points, normals, colours and sensor positions (sx sy sz) as a binary little-endian PLY.

    Positions are stored as double where float32 would lose more than 10 micrometres.

    Raises:
        InputError: the suffix is not .ply, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".ply":
        raise InputError(f"{path}: point clouds are written as .ply only, got '{path.suffix}'")
    with atomic_path(path) as temporary:
        _write_ply(temporary, _vertex_rows(cloud.points, cloud.normals, cloud.colors, cloud.sensors), None)


def _vertex_rows(
    points: np.ndarray, normals: np.ndarray | None, colors: np.ndarray | None, sensors: np.ndarray | None
) -> np.ndarray:
    groups = (
        (POINT_NAMES, points, "<f8" if needs_float64(points) else "<f4"),
        (NORMAL_NAMES[0], normals, "<f4"),
        (COLOR_NAMES[0], colors, "u1"),
        (SENSOR_NAMES, sensors, "<f8" if sensors is not None and needs_float64(sensors) else "<f4"),
    )
    present = [(names, values, kind) for names, values, kind in groups if values is not None]
    rows = np.empty(len(points), dtype=[(name, kind) for names, _, kind in present for name in names])
    for names, values, _ in present:
        for axis, name in enumerate(names):
            rows[name] = values[:, axis]
    return rows


def _write_ply(path: Path, vertices: np.ndarray, faces: np.ndarray | None) -> None:
    """Write the header with plyfile and the rows as packed arrays (plyfile writes lists row by row)."""
    elements = [PlyElement.describe(vertices, "vertex")]
    packed = np.empty(0 if faces is None else len(faces), dtype=[("count", "u1"), ("vertex_indices", "<i4", (3,))])
    if faces is not None:
        packed["count"], packed["vertex_indices"] = 3, faces
        declared = np.empty(len(faces), dtype=[("vertex_indices", "<i4", (3,))])  # for the header only
        elements.append(PlyElement.describe(declared, "face", {"vertex_indices": "u1"}, {"vertex_indices": "i4"}))
    header = PlyData(elements, byte_order="<", comments=["written by fastsdf"]).header
    with open(path, "wb") as stream:
        stream.write(f"{header}\n".encode("ascii"))
        stream.write(vertices.tobytes())
        stream.write(packed.tobytes())


def _write_stl(mesh: TriangleMesh, path: Path) -> None:
    offset = storage_offset(mesh.vertices)
    data = _as_bytes(_to_trimesh(mesh, offset).export(file_type="stl"))
    sidecar = sidecar_path(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
        if offset.any():
            with atomic_path(sidecar) as note:
                note.write_text(json.dumps({"offset": offset.tolist()}) + "\n", encoding="utf-8")
        else:
            sidecar.unlink(missing_ok=True)  # an older mesh's offset would move this one


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
        raise InputError("writing OBJ, GLB and STL needs trimesh: install it, or write .ply") from error
    return trimesh
