# SPDX-License-Identifier: MIT
"""LAS, LAZ and E57 files from their own libraries, and what is said without these libraries."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastsdf.errors import ScanError
from fastsdf.io import read_point_cloud
from tests.helpers.survey_files import UTM, e57_columns, las_of

N = 200

QUARTER_TURN = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])  # w x y z: x -> y, y -> -x


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(5).uniform(-3.0, 3.0, (N, 3))


@pytest.fixture
def laspy() -> ModuleType:
    return pytest.importorskip("laspy", reason="laspy is not installed: pip install laspy lazrs")


@pytest.fixture
def pye57() -> ModuleType:
    return pytest.importorskip("pye57", reason="pye57 is not installed: pip install pye57")


@pytest.mark.parametrize("suffix", [".las", ".LAZ"])
@pytest.mark.parametrize(("point_format", "version"), [(2, "1.2"), (3, "1.2"), (7, "1.4")])
def test_las_coordinates_are_exact_and_colors_scaled(
    tmp_path: Path, points: np.ndarray, laspy: ModuleType, suffix: str, point_format: int, version: str
) -> None:
    if suffix == ".LAZ":
        pytest.importorskip("lazrs", reason="lazrs is not installed: pip install lazrs")
    world = np.round(points, 3) + UTM
    las = las_of(laspy, world, point_format, version)
    colors = np.random.default_rng(1).integers(0, 256, (N, 3))
    colors[0] = 255
    las.red, las.green, las.blue = (colors * 257).T.astype(np.uint16)
    las.return_number = np.arange(N) % 3 + 1
    las.write(str(tmp_path / f"a{suffix}"), do_compress=suffix == ".LAZ")
    cloud = read_point_cloud(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(cloud.points, world, rtol=0, atol=2e-9)
    np.testing.assert_array_equal(cloud.colors, colors)
    assert cloud.points.dtype == np.float64 and cloud.sensors is None and cloud.notes == ()


def test_las_keeps_8_bit_colors_and_reads_named_extra_dimensions(
    tmp_path: Path, points: np.ndarray, laspy: ModuleType
) -> None:
    las = las_of(laspy, points + UTM)
    las.red = las.green = las.blue = np.arange(N, dtype=np.uint16)
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    for name, values in (*zip(("NormalX", "NormalY", "NormalZ"), normals.T, strict=True), ("quality", points[:, 0])):
        las.add_extra_dim(laspy.ExtraBytesParams(name=name, type=np.float64))
        las[name] = values
    las.add_extra_dim(laspy.ExtraBytesParams(name="triple", type="3f8"))
    las.write(str(tmp_path / "a.las"))
    cloud = read_point_cloud(tmp_path / "a.las")
    assert cloud.colors is not None and cloud.normals is not None
    np.testing.assert_array_equal(cloud.colors[:, 1], np.arange(N))
    np.testing.assert_allclose(cloud.normals, normals, atol=1e-12)


@pytest.mark.parametrize("point_format", [0, 6])
def test_las_noise_and_withheld_points_are_dropped(
    tmp_path: Path, points: np.ndarray, laspy: ModuleType, point_format: int
) -> None:
    las = las_of(laspy, points + UTM, point_format)
    classes, withheld = np.ones(N, dtype=np.uint8), np.zeros(N, dtype=np.uint8)
    classes[3], classes[4], withheld[[4, 5]] = 7, 18 if point_format == 6 else 7, 1
    las.classification, las.withheld = classes, withheld
    las.write(str(tmp_path / "a.las"))
    cloud = read_point_cloud(tmp_path / "a.las")
    np.testing.assert_allclose(cloud.points, np.delete(points + UTM, [3, 4, 5], axis=0), rtol=0, atol=0.00051)
    assert cloud.colors is None
    assert cloud.notes == (f"dropped 3 of {N} points that the file marks as noise or withheld",)


def test_a_damaged_las_says_so(tmp_path: Path, points: np.ndarray, laspy: ModuleType) -> None:
    (tmp_path / "a.las").write_bytes(b"LASF nothing more")
    with pytest.raises(ScanError, match=r"a\.las: laspy cannot read it .*export or copy"):
        read_point_cloud(tmp_path / "a.las")
    las_of(laspy, points + UTM).write(str(tmp_path / "b.laz"))
    content = (tmp_path / "b.laz").read_bytes()
    (tmp_path / "b.laz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ScanError, match=r"b\.laz: laspy cannot read it"):
        read_point_cloud(tmp_path / "b.laz")


@pytest.mark.parametrize(("suffix", "package"), [(".las", "laspy"), (".laz", "laspy"), (".e57", "pye57")])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str) -> None:
    (tmp_path / f"a{suffix}").write_text("x")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ScanError, match=f"pip install {package}.*or convert to PLY"):
        read_point_cloud(tmp_path / f"a{suffix}")


def test_laz_without_a_decoder_names_lazrs(
    tmp_path: Path, points: np.ndarray, laspy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    las_of(laspy, points + UTM).write(str(tmp_path / "a.laz"))
    monkeypatch.setattr(laspy.LazBackend, "is_available", lambda self: False)
    with pytest.raises(ScanError, match="pip install lazrs"):
        read_point_cloud(tmp_path / "a.laz")


def test_e57_scans_are_moved_by_their_poses_and_know_their_scanner(
    tmp_path: Path, points: np.ndarray, pye57: ModuleType
) -> None:
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as image:
        image.write_scan_raw(e57_columns(points, 7))
        image.write_scan_raw(e57_columns(points, 9), rotation=QUARTER_TURN, translation=UTM)
    cloud = read_point_cloud(tmp_path / "a.e57")
    turned = np.stack([-points[:, 1], points[:, 0], points[:, 2]], axis=1)
    np.testing.assert_allclose(cloud.points, np.vstack([points, turned + UTM]), rtol=0, atol=5e-7)
    assert cloud.sensors is not None and cloud.colors is not None
    np.testing.assert_array_equal(cloud.sensors, np.repeat([np.zeros(3), UTM], N, axis=0))
    np.testing.assert_array_equal(cloud.colors, np.repeat([[7, 7, 7], [9, 9, 9]], N, axis=0))
    assert cloud.notes == ()


def test_e57_without_a_telling_pose_has_no_sensors(tmp_path: Path, points: np.ndarray, pye57: ModuleType) -> None:
    columns = e57_columns(points)
    columns["cartesianInvalidState"] = (np.arange(N) % 50 == 0).astype(np.int8) * 2
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as image:
        image.write_scan_raw(columns)
    cloud = read_point_cloud(tmp_path / "a.e57")
    np.testing.assert_allclose(cloud.points, points[np.arange(N) % 50 != 0], atol=5e-7)
    assert cloud.sensors is None
    assert cloud.notes[0] == f"dropped 4 of {N} points marked as invalid" and "--sensor" in cloud.notes[1]
    placed = read_point_cloud(tmp_path / "a.e57", sensor=(0.0, 0.0, 0.0))
    assert placed.sensors is not None and not placed.sensors.any()


def write_spherical_e57(pye57: ModuleType, path: Path, columns: dict[str, np.ndarray], limit: int) -> None:
    """One scan of spherical double coordinates and integer colours up to ``limit``, built node by node."""
    node = pye57.libe57
    with pye57.E57(str(path), mode="w") as image:
        file = image.image_file
        scan, prototype, limits = (node.StructureNode(file) for _ in range(3))
        buffers = node.VectorSourceDestBuffer()
        for name, values in columns.items():
            whole = values.dtype.kind in "iu"
            kind = node.IntegerNode(file, 0, 0, limit) if whole else node.FloatNode(file, 0.0, node.E57_DOUBLE)
            prototype.set(name, kind)
            buffers.append(node.SourceDestBuffer(file, name, values, len(values), True, True))
            if whole and name.startswith("color"):
                limits.set(f"{name}Minimum", node.IntegerNode(file, 0))
                limits.set(f"{name}Maximum", node.IntegerNode(file, limit))
        scan.set("guid", node.StringNode(file, "{1}"))
        scan.set("colorLimits", limits)
        stored = node.CompressedVectorNode(file, prototype, node.VectorNode(file, True))
        scan.set("points", stored)
        image.data3d.append(scan)
        writer = stored.writer(buffers)
        writer.write(len(values))
        writer.close()


@pytest.mark.parametrize("limit", [255, 4095, 65535])
def test_e57_spherical_coordinates_and_wide_colors(
    tmp_path: Path, points: np.ndarray, pye57: ModuleType, limit: int
) -> None:
    distance = np.linalg.norm(points, axis=1)
    colors = np.random.default_rng(2).integers(0, 256, (N, 3))
    columns = {
        "sphericalRange": distance,
        "sphericalAzimuth": np.arctan2(points[:, 1], points[:, 0]),
        "sphericalElevation": np.arcsin(points[:, 2] / distance),
        "sphericalInvalidState": (np.arange(N) == 3).astype(np.int8),
    }
    stored = np.rint(colors * (limit / 255)).astype(np.uint16)
    columns |= dict(zip(("colorRed", "colorGreen", "colorBlue"), stored.T.copy(), strict=True))
    write_spherical_e57(pye57, tmp_path / "a.e57", columns, limit)
    cloud = read_point_cloud(tmp_path / "a.e57")
    np.testing.assert_allclose(cloud.points, np.delete(points, 3, axis=0), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(cloud.colors, np.delete(colors, 3, axis=0))
    assert cloud.sensors is None


def test_a_damaged_e57_says_so(tmp_path: Path, pye57: ModuleType) -> None:
    (tmp_path / "a.e57").write_bytes(b"ASTM-E57" + bytes(100))
    with pytest.raises(ScanError, match=r"a\.e57: pye57 cannot read it"):
        read_point_cloud(tmp_path / "a.e57")
    assert (tmp_path / "a.e57").exists()
    with pye57.E57(str(tmp_path / "b.e57"), mode="w"):
        pass
    with pytest.raises(ScanError, match=r"b\.e57 holds no scans"):
        read_point_cloud(tmp_path / "b.e57")
