# SPDX-License-Identifier: MIT
"""Every unusable scan file raises a ScanError with a clear message."""

import numpy as np
import pytest

from fastsdf.errors import ScanError
from fastsdf.io import read_mesh, read_point_cloud

N = 150


@pytest.fixture
def points():
    return np.random.default_rng(3).uniform(-3.0, 3.0, (N, 3))


PLY_HEAD = (
    "ply\nformat ascii 1.0\nelement vertex {n}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
)
ROWS = "".join(f"{i} {i % 7} 0\n" for i in range(N))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ply", "", r"a\.ply is empty \(0 bytes\)"),
        ("a.dxf", "0", r"unknown scan suffix '\.dxf', known are .*\.npy.*\.ply"),
        ("a.ply", "solid cube\n", "is not a PLY file"),
        ("a.ply", "ply\nformat ascii 1.0\n", "no 'end_header'"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex many\nend_header\n", "header is damaged"),
        ("a.ply", "ply\nformat ascii 1.0\nproperty float x\nend_header\n", "header is damaged"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty half x\nend_header\n", "header is damaged"),
        ("a.ply", "ply\nformat ascii 1.0\nelement face 0\nend_header\n", r"no vertex element \(elements: face\)"),
        ("a.ply", PLY_HEAD.format(n=N).replace("property float z\n", "") + ROWS, "no property z"),
        ("a.ply", PLY_HEAD.format(n=N) + ROWS[:-20], "columns changed from 3 to 1 at row 148.: export"),
        ("a.ply", PLY_HEAD.format(n=N) + ROWS.replace("5 5 0", "5 five 0", 1), "damaged or cut short.*five"),
        ("a.ply", PLY_HEAD.format(n=N + 5) + ROWS, "expected 155 vertices of 3 numbers, found 150 of 3"),
        ("a.ply", PLY_HEAD.format(n=0), r"holds 0 usable points \(0 read, 0 dropped\)"),
        ("a.ply", PLY_HEAD.format(n=50) + ROWS, "holds 50 usable points .50 read, 0 dropped., at least 100"),
        ("a.ply", PLY_HEAD.format(n=N) + "1 2 3\n" * N, "all 150 points are equal"),
        ("a.ply", PLY_HEAD.format(n=N).replace("ascii", "binary_little_endian") + "x" * 30, "damaged or cut short"),
        ("a.ply", PLY_HEAD.format(n=N).replace("ascii", "morse") + ROWS, "damaged or cut short"),
        ("a.xyz", "1 2\n" * N, r"has 2 column\(s\), at least 3"),
        ("a.xyz", ROWS + "1 2\n", "not a table of numbers: the number of columns changed from 3 to 2"),
        ("a.xyz", ROWS + "1 2 three\n", "not a table of numbers: could not convert string 'three'"),
        ("a.xyz", "# nothing\nx y z\n", "has no rows of numbers"),
        ("a.csv", "a,b\nc,d\n1,2,3\n", "not a table of numbers"),
        ("a.npy", "not numpy", r"a\.npy cannot be read as a numpy file"),
        ("a.npy", "\x93NUMPY\x01\x00\x08\x00{'descr\n", r"a\.npy cannot be read as a numpy file"),
        ("a.obj", "v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n", r"a\.obj: trimesh cannot read it"),
        ("a.npz", "PK\x03\x04 broken", r"a\.npz cannot be read as a numpy file"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", r"a\.obj.* (no triangles|cannot read)"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", r"a\.obj.* (beyond the last of 3|cannot read)"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", r"the mesh has zero area"),
        ("a.stl", "nonsense", r"a\.stl.* (no triangles|cannot read)"),
        ("a.glb", "nonsense", r"a\.glb: trimesh cannot read it"),
        ("a.gltf", "{}", r"a\.gltf.* (no triangles|cannot read)"),
        ("a.off", "nonsense", r"a\.off: trimesh cannot read it"),
    ],
)
def test_unusable_content(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ScanError, match=message):
        read_point_cloud(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((N, 4)), r"float64 of shape \(150, 4\)"),
        (np.zeros(N), r"shape \(150,\)"),
        (np.zeros((N, 3), dtype=complex), "complex128"),
        (np.full((N, 3), None), "cannot be read as a numpy file"),
    ],
)
def test_unusable_arrays(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ScanError, match=message):
        read_point_cloud(tmp_path / "a.npy")


def test_unusable_archives(tmp_path, points):
    for arrays, message in (
        ({"a": np.zeros(3)}, r"no \(n, 3\) array \(arrays: a\)"),
        ({"points": points, "normals": points[1:]}, r"'normals' is float64 of shape \(149, 3\)"),
        ({"points": points, "normals": np.full((N, 3), None)}, "NPZ archive cannot be read"),
    ):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ScanError, match=message):
            read_point_cloud(tmp_path / "a.npz")
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(ScanError, match=r"rename it to \.npz"):
        read_point_cloud(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", points)
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    with pytest.raises(ScanError, match=r"rename it to \.npy"):
        read_point_cloud(tmp_path / "b.npz")


def test_unreadable_paths(tmp_path, monkeypatch):
    for read in (read_point_cloud, read_mesh):
        with pytest.raises(ScanError, match="does not exist"):
            read(tmp_path / "missing.ply")
        with pytest.raises(ScanError, match="is a folder"):
            read(tmp_path)
    (tmp_path / "a.ply").write_text("ply\n")

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        with pytest.raises(ScanError, match="permission denied"):
            read_point_cloud(tmp_path / "a.ply")


@pytest.mark.open3d
def test_damaged_pcd(tmp_path):
    (tmp_path / "b.pcd").write_text("not a pcd\n")
    with pytest.raises(ScanError, match=r"b\.pcd: open3d found no points"):
        read_point_cloud(tmp_path / "b.pcd")
