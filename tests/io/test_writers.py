# SPDX-License-Identifier: MIT
"""Writers: independent readers see the same mesh, large coordinates survive, and failures leave nothing behind."""

import json
import os

import numpy as np
import pytest
import trimesh
from plyfile import PlyData

from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.io import atomic_path, read_mesh, read_point_cloud, write_mesh, write_point_cloud
from tests.helpers.exported_sphere import UTM, sphere

SUFFIXES = [".ply", ".obj", ".glb", ".stl"]


def sorted_triangles(mesh):
    """Triangles in an order that does not depend on vertex numbering."""
    triangles = mesh.vertices[mesh.faces].reshape(-1, 9)
    return triangles[np.lexsort(np.round(triangles - triangles.mean(axis=0), 3).T)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("offset", [0.0, UTM + 0.4321])
@pytest.mark.parametrize("attributes", [True, False])
def test_mesh_round_trip(tmp_path, suffix, offset, attributes):
    mesh = sphere(offset, attributes)
    path = tmp_path / "new" / f"room{suffix}"
    write_mesh(mesh, path)
    read = read_mesh(path)
    assert read.vertices.shape == mesh.vertices.shape
    assert read.faces.shape == mesh.faces.shape
    if suffix == ".stl":
        np.testing.assert_allclose(sorted_triangles(read), sorted_triangles(mesh), rtol=0, atol=1e-5)
        return
    np.testing.assert_allclose(read.vertices, mesh.vertices, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(read.faces, mesh.faces)
    if attributes:
        np.testing.assert_array_equal(read.colors, mesh.colors)
    else:
        assert read.colors is None
    if suffix == ".ply" and attributes:
        np.testing.assert_allclose(read.normals, mesh.normals, atol=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("offset", [0.0, UTM + 0.4321])
def test_trimesh_reads_what_we_write(tmp_path, suffix, offset):
    mesh = sphere(offset)
    write_mesh(mesh, tmp_path / f"room{suffix}")
    loaded = trimesh.load(str(tmp_path / f"room{suffix}"), process=False)
    world = loaded.to_geometry() if isinstance(loaded, trimesh.Scene) else loaded
    shift = np.zeros(3)
    sidecar = tmp_path / "room.stl.offset.json"
    assert sidecar.exists() == (suffix == ".stl" and np.any(offset != 0))
    if sidecar.exists():
        shift = np.array(json.loads(sidecar.read_text())["offset"])
        np.testing.assert_array_equal(shift, np.rint(shift))
    expected = mesh.vertices
    read = np.unique(np.round(np.asarray(world.vertices) + shift, 4), axis=0)
    np.testing.assert_allclose(read.min(axis=0), expected.min(axis=0), rtol=0, atol=1e-4)
    np.testing.assert_allclose(read.max(axis=0), expected.max(axis=0), rtol=0, atol=1e-4)
    assert len(world.faces) == len(mesh.faces)
    if suffix in (".obj", ".glb", ".ply"):
        part = next(iter(loaded.geometry.values())) if isinstance(loaded, trimesh.Scene) else loaded
        np.testing.assert_allclose(np.asarray(part.vertex_normals), mesh.normals, atol=1e-5)
        np.testing.assert_array_equal(world.visual.vertex_colors[:, :3], mesh.colors)


@pytest.mark.parametrize(("largest", "kind"), [(167.0, "f4"), (168.0, "f8")])
def test_ply_precision_is_chosen_by_size(tmp_path, largest, kind):
    mesh = sphere(np.array([largest - 3.21, 0, 0]), attributes=False)
    write_mesh(mesh, tmp_path / "m.ply")
    data = PlyData.read(str(tmp_path / "m.ply"))
    assert data.byte_order == "<"
    assert data["vertex"].data.dtype["x"].str == f"<{kind}"
    np.testing.assert_array_equal(np.vstack(data["face"]["vertex_indices"]), mesh.faces)
    assert "property list uchar int vertex_indices" in data.header


def test_open3d_reads_our_ply(tmp_path, open3d):
    mesh = sphere(UTM)
    write_mesh(mesh, tmp_path / "m.ply")
    read = open3d.io.read_triangle_mesh(str(tmp_path / "m.ply"))
    np.testing.assert_allclose(np.asarray(read.vertices), mesh.vertices, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(np.asarray(read.triangles), mesh.faces)
    np.testing.assert_allclose(np.asarray(read.vertex_colors) * 255, mesh.colors, atol=1e-6)


@pytest.mark.parametrize("offset", [np.zeros(3), UTM])
@pytest.mark.parametrize("with_attributes", [True, False])
def test_point_cloud_round_trip(tmp_path, offset, with_attributes):
    mesh = sphere(offset)
    extra = (mesh.normals, mesh.colors, mesh.vertices + 1.5) if with_attributes else ()
    cloud = PointCloud(mesh.vertices, *extra)
    write_point_cloud(cloud, tmp_path / "c.ply")
    read = read_point_cloud(tmp_path / "c.ply")
    np.testing.assert_allclose(read.points, cloud.points, rtol=0, atol=1e-9 if offset.any() else 1e-6)
    if with_attributes:
        np.testing.assert_allclose(read.normals, cloud.normals, atol=1e-6)
        np.testing.assert_array_equal(read.colors, cloud.colors)
        np.testing.assert_allclose(read.sensors, cloud.sensors, rtol=0, atol=1e-6)
    else:
        assert read.normals is None and read.colors is None and read.sensors is None


def test_stale_sidecar_is_removed_and_damaged_one_is_refused(tmp_path):
    path, sidecar = tmp_path / "m.stl", tmp_path / "m.stl.offset.json"
    write_mesh(sphere(UTM), path)
    for text, message in (
        ("{", "cannot be read"),
        ('{"offset": [1, 2]}', "three finite numbers"),
        ('{"offset": null}', "three finite numbers"),
        ("{}", "cannot be read"),
    ):
        sidecar.write_text(text)
        with pytest.raises(ScanError, match=message):
            read_mesh(path)
    write_mesh(sphere(), path)
    assert not sidecar.exists()
    assert np.abs(read_mesh(path).vertices).max() < 4


def test_refused_input(tmp_path):
    with pytest.raises(InputError, match=r"unknown mesh suffix '\.fbx'; give one of \.ply, \.obj, \.glb, \.stl"):
        write_mesh(sphere(), tmp_path / "m.fbx")
    with pytest.raises(InputError, match="no faces, nothing to write"):
        write_mesh(TriangleMesh(np.zeros((3, 3)), np.zeros((0, 3), dtype=np.int64)), tmp_path / "m.ply")
    with pytest.raises(InputError, match=r"written as \.ply only, got '\.xyz'"):
        write_point_cloud(PointCloud(np.zeros((3, 3))), tmp_path / "c.xyz")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"):
        write_mesh(sphere(), tmp_path / "file" / "m.ply")
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write_mesh(sphere(), tmp_path / "folder.ply")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.ply"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("x"), KeyboardInterrupt()])
def test_failing_writer_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "m.ply"
    path.write_text("old")
    expected = InputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), atomic_path(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".ply"
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["m.ply"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_failure_inside_write_mesh_leaves_the_old_file(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"m{suffix}"
    path.write_text("old")

    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastsdf.io.atomic.os.replace", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_mesh(sphere(UTM), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_atomic_path_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "m.txt"
    for text in ("one", "two"):
        with atomic_path(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["m.txt"]
