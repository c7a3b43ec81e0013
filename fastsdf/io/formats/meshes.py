# SPDX-License-Identifier: MIT
"""Reads triangle meshes. trimesh is only imported for the formats that need it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.geometry import TriangleMesh
from fastsdf.io.files import require_file
from fastsdf.io.formats.ply import read_ply_mesh
from fastsdf.io.formats.ply_header import read_ply_header
from fastsdf.io.offsets import read_sidecar

if TYPE_CHECKING:
    import trimesh

# Formats that trimesh reads without further packages; PLY has a reader of its own.
TRIMESH_SUFFIXES = (".obj", ".stl", ".glb", ".gltf", ".off")
MESH_SUFFIXES = (".ply", *TRIMESH_SUFFIXES)


def is_mesh_file(path: str | Path) -> bool:
    """Whether a file is a mesh: a PLY that declares faces, or a file with the suffix of OBJ, STL, GLB, GLTF or OFF.

    Raises:
        ScanError: a PLY file is missing or has no readable header.
    """
    suffix = Path(path).suffix.lower()
    return read_ply_header(path).face_count > 0 if suffix == ".ply" else suffix in TRIMESH_SUFFIXES


def read_mesh(path: str | Path) -> TriangleMesh:
    """Read a PLY, OBJ, STL, GLB, GLTF or OFF file as one triangle mesh in world coordinates.

    Polygons are split into triangle fans, scenes are flattened with their node transforms, and the offset that
    ``write_mesh`` stores beside an STL file is added. Equal vertices are merged only in STL files. Normals are read
    from PLY files only, colours from PLY files and vertex colours.

    Args:
        path: the mesh file; the suffix determines its format.

    Raises:
        ScanError: the file is missing, damaged, of an unknown format, or has no usable faces.

    >>> import fastsdf, numpy as np
    >>> mesh = fastsdf.TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    >>> fastsdf.write_mesh(mesh, "mesh.obj")
    >>> fastsdf.read_mesh("mesh.obj").faces.tolist()
    [[0, 1, 2]]
    """
    path = require_file(path)
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise ScanError(f"{path}: unknown mesh suffix '{path.suffix}'; give one of {', '.join(MESH_SUFFIXES)}")
    mesh = read_ply_mesh(path) if suffix == ".ply" else _read_with_trimesh(path)
    if suffix == ".stl":
        mesh = _weld(mesh, read_sidecar(path))
    _check_mesh(mesh, path)
    return mesh


def _read_with_trimesh(path: Path) -> TriangleMesh:
    try:
        import trimesh
    except ImportError as error:
        raise ScanError(f"{path}: reading {path.suffix} needs trimesh: install it, or convert to PLY") from error
    suffix = path.suffix.lower()
    options: dict[str, Any] = {} if suffix in (".stl", ".off") else {"skip_materials": True}
    if suffix == ".obj":
        options |= {"maintain_order": True, "group_material": False}
    try:
        loaded = trimesh.load(str(path), process=False, **options)
        scene = loaded if isinstance(loaded, trimesh.Scene) else trimesh.Scene(loaded)
        parts = _scene_parts(scene)
    except Exception as error:  # Damaged files cause any exception of numpy, json or struct.
        raise ScanError(f"{path}: trimesh cannot read it ({error}): export the mesh again, or as PLY") from error
    if not parts:
        raise ScanError(f"{path} has no triangles: export a triangle mesh, or its points as PLY or XYZ")
    return _join(parts)


def _scene_parts(scene: "trimesh.Scene") -> list[TriangleMesh]:
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        faces = np.asarray(getattr(geometry, "faces", ()), dtype=np.int64).reshape(-1, 3)
        if len(faces) == 0:
            continue
        vertices = np.asarray(geometry.vertices, dtype=np.float64)
        if vertices.shape[1:] != (3,):
            raise ValueError(f"its vertices have the shape {vertices.shape}, not (n, 3)")
        if not np.array_equal(transform, np.eye(4)):
            vertices = vertices @ transform[:3, :3].T + transform[:3, 3]
            faces = faces[:, ::-1] if np.linalg.det(transform[:3, :3]) < 0 else faces
        colored = geometry.visual.kind == "vertex"
        colors = np.array(geometry.visual.vertex_colors[:, :3], dtype=np.uint8) if colored else None
        parts.append(TriangleMesh(vertices, faces, colors=colors))
    return parts


def _join(parts: list[TriangleMesh]) -> TriangleMesh:
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])
    faces = [part.faces + start for part, start in zip(parts, starts[:-1], strict=True)]
    colors = [part.colors for part in parts if part.colors is not None]
    return TriangleMesh(
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate(faces),
        colors=np.concatenate(colors) if len(colors) == len(parts) else None,
    )


def _weld(mesh: TriangleMesh, offset: np.ndarray) -> TriangleMesh:
    """Merge equal vertices and add the offset; axis by axis, several times faster than ``np.unique(axis=0)``."""
    index = np.zeros(len(mesh.vertices), dtype=np.int64)
    for values in mesh.vertices.T:
        _, rank = np.unique(values, return_inverse=True)
        _, index = np.unique(index * (rank.max() + 1) + rank, return_inverse=True)
    _, first = np.unique(index, return_index=True)
    return TriangleMesh(mesh.vertices[first] + offset, index[mesh.faces])


def _check_mesh(mesh: TriangleMesh, path: Path) -> None:
    if len(mesh.faces) == 0:
        raise ScanError(f"{path} has no triangles: export a triangle mesh, or its points as PLY or XYZ")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise ScanError(f"{path}: faces refer to vertices beyond the last of {len(mesh.vertices)}: export it again")
    broken = len(mesh.vertices) - int(np.isfinite(mesh.vertices).all(axis=1).sum())
    if broken:
        raise ScanError(f"{path}: {broken} mesh vertices are not finite: clean the mesh and export it again")
