# SPDX-License-Identifier: MIT
"""Mesh readers against files from plyfile and trimesh."""

import numpy as np
import pytest
import trimesh
from plyfile import PlyData, PlyElement

from fastsdf.errors import ScanError
from fastsdf.io import is_mesh_file, read_mesh, read_point_cloud

N = 150
UTM = np.array([4e5, 5e6, 100.0])


def write_mesh_ply(path, vertices, polygons, name="vertex_indices", kind="f4", text=False, order="<"):
    """Write a polygon mesh with plyfile."""
    rows = np.empty(len(vertices), dtype=[(axis, kind) for axis in "xyz"])
    rows["x"], rows["y"], rows["z"] = vertices.T
    faces = np.empty(len(polygons), dtype=[(name, object)])
    faces[name] = [np.array(polygon, dtype=np.int32) for polygon in polygons]
    face = PlyElement.describe(faces, "face", len_types={name: "u1"}, val_types={name: "i4"})
    PlyData([PlyElement.describe(rows, "vertex"), face], text=text, byte_order=order).write(str(path))
    return path


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".glb", ".gltf", ".off"])
def test_mesh_files_are_sampled(tmp_path, suffix):
    path = tmp_path / f"box{suffix}"
    trimesh.creation.box(extents=(2, 2, 2)).export(path)
    cloud = read_point_cloud(path, samples=1000, seed=5)
    np.testing.assert_allclose(np.abs(cloud.points).max(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose((cloud.points * cloud.normals).sum(axis=1), 1.0, atol=1e-6)
    assert len(cloud) == 1000
    assert abs(np.mean(cloud.normals[:, 2] > 0.5) - 1 / 6) < 0.05
    assert "12 faces (seed 5)" in cloud.notes[0]
    np.testing.assert_array_equal(cloud.points, read_point_cloud(path, samples=1000, seed=5).points)
    assert not np.array_equal(cloud.points, read_point_cloud(path, samples=1000, seed=6).points)


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_ply_mesh_polygons_become_fans(tmp_path, text, order):
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 2, 0]]) + UTM + 0.123456
    polygons = [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 4, 3]]
    path = write_mesh_ply(tmp_path / "m.ply", corners, polygons, "vertex_index", "f8", text, order)
    mesh = read_mesh(path)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 2, 4], [0, 4, 3]])
    np.testing.assert_allclose(mesh.vertices, corners, rtol=0, atol=1e-6)
    assert mesh.faces.dtype == np.int64
    assert is_mesh_file(path)


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".glb", ".gltf", ".off", ".ply"])
def test_mesh_formats_from_trimesh(tmp_path, suffix):
    sphere = trimesh.creation.icosphere(subdivisions=1)
    sphere.export(tmp_path / f"s{suffix}")
    mesh = read_mesh(tmp_path / f"s{suffix}")
    assert mesh.vertices.shape == sphere.vertices.shape
    assert is_mesh_file(tmp_path / f"s{suffix}")
    read = np.sort(mesh.vertices[mesh.faces].reshape(-1, 9), axis=0)
    np.testing.assert_allclose(read, np.sort(sphere.triangles.reshape(-1, 9), axis=0), atol=1e-6)
    volume = np.einsum(
        "fi,fi->", np.cross(*mesh.vertices[mesh.faces[:, :2]].swapaxes(0, 1)), mesh.vertices[mesh.faces[:, 2]]
    )
    assert volume > 0  # orientation kept


def test_scene_is_flattened_and_mirrored_nodes_keep_orientation(tmp_path):
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    for index, scale in enumerate((1.0, -1.0)):
        transform = np.diag([scale, 1.0, 1.0, 1.0])
        transform[0, 3] = 10.0 * index
        scene.add_geometry(box, transform=transform)
    scene.export(tmp_path / "scene.glb")
    mesh = read_mesh(tmp_path / "scene.glb")
    assert len(mesh.faces) == 24
    assert mesh.vertices[:, 0].max() == pytest.approx(10.5)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(2.0)


def test_mesh_errors(tmp_path):
    points = np.random.default_rng(3).uniform(-3.0, 3.0, (N, 3))
    cloud = write_mesh_ply(tmp_path / "p.ply", points, [])
    assert not is_mesh_file(cloud)
    assert not is_mesh_file("scan.xyz")
    with pytest.raises(ScanError, match="has no faces, it is a point cloud"):
        read_mesh(cloud)
    with pytest.raises(ScanError, match=r"unknown mesh suffix '\.xyz'"):
        read_mesh(cloud.rename(tmp_path / "p.xyz"))
    path = tmp_path / "m.ply"
    for polygons, name, message in (
        ([[0, 1, N]], "vertex_indices", "beyond the last of 150"),
        ([[0, 1]], "vertex_indices", "has no triangles"),
        ([[0, 1, 2]], "corners", "no list named vertex_indices or vertex_index"),
    ):
        write_mesh_ply(path, points, polygons, name)
        with pytest.raises(ScanError, match=message):
            read_mesh(path)
    points[0] = np.nan
    write_mesh_ply(path, points, [[0, 1, 2]])
    with pytest.raises(ScanError, match="1 mesh vertices are not finite"):
        read_mesh(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ScanError, match="damaged or cut short"):
        read_mesh(path)
