# SPDX-License-Identifier: MIT
"""Scan readers against files from independent writers."""

import subprocess
import sys

import numpy as np
import pytest
import trimesh
from plyfile import PlyData, PlyElement, PlyListProperty

from fastsdf.errors import InputError, ScanError
from fastsdf.io import read_point_cloud

N = 150
UTM = np.array([4e5, 5e6, 100.0])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def points(rng):
    return rng.uniform(-3.0, 3.0, (N, 3))


@pytest.fixture
def normals(rng):
    values = rng.normal(size=(N, 3))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.fixture
def colors(rng):
    values = rng.integers(0, 256, (N, 3))
    values[0] = 255
    return values.astype(np.uint8)


def write_ply(path, columns, kinds, text=False, order="<"):
    """Write columns (name -> array) with plyfile, in dict order."""
    rows = np.empty(len(next(iter(columns.values()))), dtype=[(n, k) for n, k in zip(columns, kinds, strict=True)])
    for name, values in columns.items():
        rows[name] = values
    PlyData([PlyElement.describe(rows, "vertex")], text=text, byte_order=order).write(str(path))
    return path


def xyz(points):
    return dict(zip("xyz", points.T, strict=True))


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize(("text", "order"), [(True, "="), (False, "<"), (False, ">")])
@pytest.mark.parametrize("shuffled", [False, True])
def test_ply_formats(tmp_path, points, normals, colors, kind, text, order, shuffled):
    columns = xyz(points) | dict(zip(("nx", "ny", "nz"), normals.T, strict=True))
    columns |= dict(zip(("red", "green", "blue"), colors.T, strict=True))
    columns |= dict(zip(("sx", "sy", "sz"), (points + 1).T, strict=True)) | {"quality": points[:, 0]}
    kinds = [kind] * 6 + ["u1"] * 3 + [kind] * 3 + ["i2"]
    if shuffled:
        names = list(columns)[::-1]
        columns, kinds = {n: columns[n] for n in names}, kinds[::-1]
    cloud = read_point_cloud(write_ply(tmp_path / "scan.PLY", columns, kinds, text, order))
    stored = points.astype(kind).astype(float)
    np.testing.assert_array_equal(cloud.points, stored) if not text else np.testing.assert_allclose(
        cloud.points, stored, rtol=0, atol=1e-12
    )
    assert cloud.points.dtype == cloud.normals.dtype == cloud.sensors.dtype == np.float64
    np.testing.assert_allclose(cloud.normals, normals, atol=1e-6)
    np.testing.assert_allclose(cloud.sensors, (points + 1).astype(kind), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(cloud.colors, colors)
    assert cloud.colors.dtype == np.uint8
    assert cloud.notes == ()


@pytest.mark.parametrize(("kind", "scale"), [("u1", 1), ("f4", 1 / 255), ("f8", 1 / 255), ("u2", 257)])
@pytest.mark.parametrize(
    "names", [("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")]
)
def test_ply_color_kinds(tmp_path, points, colors, kind, scale, names):
    columns = xyz(points) | dict(zip(names, (colors * np.float64(scale)).T, strict=True))
    cloud = read_point_cloud(write_ply(tmp_path / "c.ply", columns, ["f4"] * 3 + [kind] * 3))
    np.testing.assert_array_equal(cloud.colors, colors)


@pytest.mark.parametrize("text", [True, False])
def test_ply_list_property_and_faces_tolerated(tmp_path, points, text):
    rows = np.empty(N, dtype=[("x", "f8"), ("tags", object), ("y", "f8"), ("z", "f8")])
    rows["x"], rows["y"], rows["z"] = points.T
    rows["tags"] = [np.arange(i % 3, dtype=np.int32) for i in range(N)]
    vertex = PlyElement.describe(rows, "vertex", len_types={"tags": "u1"}, val_types={"tags": "i4"})
    assert isinstance(vertex.ply_property("tags"), PlyListProperty)
    faces = np.empty(2, dtype=[("vertex_indices", object)])
    faces["vertex_indices"] = [np.arange(3, dtype=np.int32), np.arange(4, dtype=np.int32)]
    face = PlyElement.describe(faces, "face", len_types={"vertex_indices": "u1"}, val_types={"vertex_indices": "i4"})
    PlyData([vertex, face], text=text).write(str(tmp_path / "l.ply"))
    cloud = read_point_cloud(tmp_path / "l.ply")
    np.testing.assert_allclose(cloud.points, points, rtol=0, atol=1e-12)
    assert "mesh with 2 faces" in cloud.notes[0]


def test_ply_crlf_ascii_keeps_all_digits_of_float_properties(tmp_path, points):
    world = np.round(points + UTM, 6)
    body = "\r\n".join(" ".join(f"{v:.6f}" for v in row) for row in world)
    head = f"ply\r\nformat ascii 1.0\r\nelement vertex {N}\r\n" + "".join(f"property float {a}\r\n" for a in "xyz")
    (tmp_path / "a.ply").write_bytes(f"{head}end_header\r\n{body}\r\n".encode())
    np.testing.assert_allclose(read_point_cloud(tmp_path / "a.ply").points, world, rtol=0, atol=1e-8)


def test_ply_from_trimesh(tmp_path, points):
    trimesh.PointCloud(points).export(tmp_path / "t.ply")
    np.testing.assert_allclose(read_point_cloud(tmp_path / "t.ply").points, points, atol=1e-6)


def test_ply_from_open3d(tmp_path, points, normals, open3d):
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    cloud.normals = open3d.utility.Vector3dVector(normals)
    cloud.colors = open3d.utility.Vector3dVector(np.full((N, 3), 0.2))
    for text in (True, False):
        open3d.io.write_point_cloud(str(tmp_path / "o.ply"), cloud, write_ascii=text)
        read = read_point_cloud(tmp_path / "o.ply")
        np.testing.assert_allclose(read.points, points, atol=1e-5 if text else 1e-12)  # its text has 6 digits
        np.testing.assert_allclose(read.normals, normals, atol=1e-5 if text else 1e-12)
        np.testing.assert_array_equal(read.colors, np.full((N, 3), 51))


@pytest.mark.parametrize("text", [True, False])
def test_pcd_from_open3d(tmp_path, points, normals, text, open3d):
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    cloud.normals = open3d.utility.Vector3dVector(normals)
    open3d.io.write_point_cloud(str(tmp_path / "o.pcd"), cloud, write_ascii=text)
    read = read_point_cloud(tmp_path / "o.pcd")
    np.testing.assert_allclose(read.points, points, atol=1e-5)
    np.testing.assert_allclose(read.normals, normals, atol=1e-5)


@pytest.mark.parametrize("suffix", [".xyz", ".txt", ".CSV", ".pts", ".asc"])
@pytest.mark.parametrize("delimiter", [" ", ",", ", ", ";", "\t"])
def test_text_points_exact(tmp_path, points, suffix, delimiter):
    path = tmp_path / f"scan{suffix}"
    np.savetxt(path, points + UTM, fmt="%.6f", delimiter=delimiter)
    np.testing.assert_allclose(read_point_cloud(path).points, points + UTM, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "head",
    ["", "# x y z\n", "// comment, with: things\n\n", "x y z\n", f"{N}\n", f"# c\n{N}\n", "\ufeffX Y Z\n", "# 3 4 5\n"],
)
def test_text_heads_tolerated(tmp_path, points, head):
    body = "\n".join(" ".join(map(repr, row)) for row in points.tolist())
    (tmp_path / "h.txt").write_text(head + body + "\n// end\n# end\n\n", encoding="utf-8")
    np.testing.assert_array_equal(read_point_cloud(tmp_path / "h.txt").points, points)


@pytest.mark.parametrize("layout", ["n", "c", "ic", "cn", "nc", "icn", "i"])
def test_text_columns_without_names(tmp_path, points, normals, colors, layout):
    blocks = {"n": normals, "c": colors.astype(float), "i": np.linspace(-7.5, 900, N)[:, None]}
    np.savetxt(tmp_path / "t.xyz", np.column_stack([points, *(blocks[key] for key in layout)]), fmt="%.9g")
    cloud = read_point_cloud(tmp_path / "t.xyz")
    np.testing.assert_allclose(cloud.points, points, atol=1e-7)
    assert (cloud.normals is None) == ("n" not in layout)
    assert (cloud.colors is None) == ("c" not in layout)
    if "n" in layout:
        np.testing.assert_allclose(cloud.normals, normals, atol=1e-7)
    if "c" in layout:
        np.testing.assert_array_equal(cloud.colors, colors)
    assert cloud.notes == (("text column(s) 4 not used",) if "i" in layout else ())


@pytest.mark.parametrize("mark", ["", "//", "# "])
def test_text_named_columns(tmp_path, points, normals, colors, mark):
    table = np.column_stack([np.arange(N), colors, points, normals])
    np.savetxt(tmp_path / "n.csv", table, delimiter=",", header="id,R,G,B,X,Y,Z,Nx,Ny,Nz", comments=mark, fmt="%.17g")
    cloud = read_point_cloud(tmp_path / "n.csv")
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_allclose(cloud.normals, normals, atol=1e-12)
    np.testing.assert_array_equal(cloud.colors, colors)


def test_numpy_files(tmp_path, points, normals, colors):
    np.save(tmp_path / "p.npy", points)
    np.testing.assert_array_equal(read_point_cloud(tmp_path / "p.npy").points, points)
    np.save(tmp_path / "pn.npy", np.hstack([points, 2 * normals]).astype(np.float32))
    np.testing.assert_allclose(read_point_cloud(tmp_path / "pn.npy").normals, normals, atol=1e-6)
    np.savez(tmp_path / "a.npz", other=np.ones(3), points=points, normals=normals, colors=colors / 255, sensors=points)
    cloud = read_point_cloud(tmp_path / "a.npz")
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_array_equal(cloud.colors, colors)
    np.testing.assert_array_equal(cloud.sensors, points)
    for name in ("xyz", "anything"):
        np.savez(tmp_path / "b.npz", **{name: points})
        np.testing.assert_array_equal(read_point_cloud(tmp_path / "b.npz").points, points)


def test_sensor_overrides_file(tmp_path, points):
    np.savez(tmp_path / "s.npz", points=points, sensors=np.full((N, 3), np.nan))
    cloud = read_point_cloud(tmp_path / "s.npz", sensor=(1, 2, 3))
    np.testing.assert_array_equal(cloud.sensors, np.tile([1.0, 2.0, 3.0], (N, 1)))
    assert "replaces the per-point positions" in cloud.notes[0]
    with pytest.raises(InputError, match="three finite numbers"):
        read_point_cloud(tmp_path / "s.npz", sensor=(1, 2, float("nan")))
    with pytest.raises(ScanError, match=r"holds 0 usable points \(150 read, 150 dropped\)"):
        read_point_cloud(tmp_path / "s.npz")


def test_bad_rows_are_dropped_and_counted(tmp_path, points, normals):
    points[3, 1], points[4] = np.nan, np.inf
    sensors = np.zeros((N, 3))
    sensors[7] = np.nan
    normals[9], normals[10, 0] = 0, np.nan
    np.savez(tmp_path / "d.npz", points=points, normals=3 * normals, sensors=sensors)
    cloud = read_point_cloud(tmp_path / "d.npz")
    np.testing.assert_array_equal(cloud.points, np.delete(points, [3, 4, 7], axis=0))
    length = np.ones(N)
    length[[9, 10]] = 0  # these points stay, their normals are unknown
    np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), np.delete(length, [3, 4, 7]), atol=1e-12)
    assert [note.split()[1] for note in cloud.notes[:2]] == ["2", "1"] and cloud.notes[2].startswith("2 of 147 normals")
    np.savez(tmp_path / "z.npz", points=points, normals=0 * normals)
    cloud = read_point_cloud(tmp_path / "z.npz")
    assert cloud.normals is None
    assert "normals ignored" in cloud.notes[-1]


def test_non_finite_colors_are_ignored(tmp_path, points):
    np.savez(tmp_path / "c.npz", points=points, colors=np.full((N, 3), np.nan))
    cloud = read_point_cloud(tmp_path / "c.npz")
    assert cloud.colors is None
    assert "colours ignored" in cloud.notes[0]


def test_import_is_light_and_core_formats_need_no_heavy_package(tmp_path, points):
    write_ply(tmp_path / "p.ply", xyz(points), ["f4"] * 3)
    np.save(tmp_path / "p.npy", points)
    np.savetxt(tmp_path / "p.xyz", points)
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('open3d', 'trimesh', 'torch')))\n"
        "from fastsdf.io import read_point_cloud\n"
        f"for s in ('ply', 'npy', 'xyz'): assert len(read_point_cloud(r'{tmp_path}/p.' + s)) == {N}\n"
        "from fastsdf.errors import ScanError\n"
        "for s in ('pcd', 'stl'):\n"
        f"    open(r'{tmp_path}/p.' + s, 'w').write('x')\n"
        f"    try: read_point_cloud(r'{tmp_path}/p.' + s)\n"
        "    except ScanError as error: assert 'install' in str(error)\n"
        "    else: raise AssertionError(s)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
