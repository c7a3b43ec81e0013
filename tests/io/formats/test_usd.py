# SPDX-License-Identifier: MIT
"""Mesh files as other readers see them: trimesh and open3d; for USD its own library, and the bare text."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import trimesh
from scipy.spatial import KDTree

from fastsdf import TriangleMesh, write_mesh
from fastsdf.config.units import METRES
from fastsdf.errors import InputError
from fastsdf.io.writers import WRITE_SUFFIXES, file_matrix
from tests.helpers.exported_sphere import UTM, sphere

ON_TRIMESH = (".ply", ".obj", ".glb", ".stl")
SINGLE = 2.0**-23


@pytest.fixture
def pxr() -> ModuleType:
    return pytest.importorskip("pxr", reason="usd-core is not installed: pip install usd-core")


def same_vertices(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Every vertex of one is one of the other, however they are ordered or repeated."""
    centre = expected.mean(axis=0)
    found, expected = found - centre, expected - centre
    for one, two in ((found, expected), (expected, found)):
        assert KDTree(one).query(two)[0].max() <= tolerance


def stl_offset(path: Path) -> np.ndarray:
    sidecar = path.with_name(path.name + ".offset.json")
    return np.array(json.loads(sidecar.read_text())["offset"]) if sidecar.exists() else np.zeros(3)


@pytest.mark.parametrize("units", list(METRES))
@pytest.mark.parametrize("offset", [np.zeros(3), UTM + 0.4321])
@pytest.mark.parametrize("suffix", ON_TRIMESH)
def test_trimesh_finds_the_coordinates_in_the_units_of_the_file(
    tmp_path: Path, suffix: str, offset: np.ndarray, units: str
) -> None:
    if suffix == ".glb" and units != "m":
        with pytest.raises(InputError, match=f"GLB files are in metres by their standard, not in {units}"):
            write_mesh(sphere(offset), tmp_path / "m.glb", units=units)
        return
    mesh, path = sphere(offset), tmp_path / f"m{suffix}"
    write_mesh(mesh, path, units=units)
    read = trimesh.load(str(path), force="mesh", process=False)
    same_vertices(np.asarray(read.vertices) + stl_offset(path), mesh.vertices / METRES[units], 2e-5 / METRES[units])
    assert len(read.faces) == len(mesh.faces)


@pytest.mark.parametrize("units", ["m", "mm", "ft"])
@pytest.mark.parametrize("suffix", ON_TRIMESH)
def test_open3d_finds_the_coordinates_in_the_units_of_the_file(
    tmp_path: Path, suffix: str, units: str, open3d: ModuleType
) -> None:
    if suffix == ".glb" and units != "m":
        pytest.skip("GLB files are in metres")
    mesh, path = sphere(), tmp_path / f"m{suffix}"
    write_mesh(mesh, path, units=units)
    read = open3d.io.read_triangle_mesh(str(path))
    size = np.abs(mesh.vertices).max() / METRES[units]
    same_vertices(np.asarray(read.vertices), mesh.vertices / METRES[units], max(size * SINGLE, 1e-6))
    assert len(read.triangles) == len(mesh.faces)


def numbers(text: str, name: str) -> np.ndarray:
    """An array of numbers or of tuples of three, from the text of a USD file."""
    content = re.search(rf"\b{re.escape(name)} = \[(.*?)\](?: \(|\n)", text)
    assert content is not None
    values = np.array([float(v) for v in re.findall(r"[-+.\de]+", content.group(1))])
    return values.reshape(-1, 3) if "(" in content.group(1) else values


@pytest.mark.parametrize(("up", "units"), [("z", "m"), ("y", "mm"), ("z", "ft")])
@pytest.mark.parametrize("offset", [np.zeros(3), UTM + 0.4321])
def test_usd_text_holds_the_mesh(tmp_path: Path, pxr: ModuleType, offset: np.ndarray, up: str, units: str) -> None:
    mesh = with_confidence(sphere(offset))
    write_mesh(mesh, tmp_path / "m.usda", up, units)
    text = (tmp_path / "m.usda").read_text()
    assert f'upAxis = "{up.upper()}"' in text
    assert float(re.findall(r"metersPerUnit = (\S+)", text)[0]) == METRES[units]
    translation = re.findall(r"double3 xformOp:translate = \((.*)\)", text)
    shift = np.array([float(v) for v in translation[0].split(",")]) if translation else np.zeros(3)
    assert bool(translation) == bool(offset.any())
    expected = mesh.moved(file_matrix(up, units))
    found = numbers(text, "point3f[] points") + shift
    np.testing.assert_allclose(found, expected.vertices, rtol=0, atol=2e-5 / METRES[units])
    np.testing.assert_allclose(numbers(text, "normal3f[] normals"), expected.normals, atol=1e-6)
    np.testing.assert_array_equal(numbers(text, "int[] faceVertexIndices").reshape(-1, 3), mesh.faces)
    assert set(numbers(text, "int[] faceVertexCounts")) == {3.0}
    np.testing.assert_allclose(numbers(text, "float[] primvars:confidence"), mesh.attributes["confidence"], atol=1e-7)


@pytest.mark.parametrize("suffix", [".usda", ".usdc"])
def test_usd_reads_what_we_write(tmp_path: Path, pxr: ModuleType, suffix: str) -> None:
    from importlib import import_module

    usd, geom = import_module("pxr.Usd"), import_module("pxr.UsdGeom")
    mesh = sphere(UTM)
    write_mesh(mesh, tmp_path / f"m{suffix}", "y", "cm")
    stage = usd.Stage.Open(str(tmp_path / f"m{suffix}"))
    assert geom.GetStageMetersPerUnit(stage) == 0.01 and geom.GetStageUpAxis(stage) == "Y"
    prim = geom.Mesh(stage.GetDefaultPrim())
    matrix = np.array(prim.ComputeLocalToWorldTransform(usd.TimeCode.Default()))
    points = np.array(prim.GetPointsAttr().Get(), dtype=np.float64) @ matrix[:3, :3] + matrix[3, :3]
    np.testing.assert_allclose(points, mesh.moved(file_matrix("y", "cm")).vertices, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(np.array(prim.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), mesh.faces)
    assert mesh.colors is not None
    linear = np.array(geom.PrimvarsAPI(prim).GetPrimvar("displayColor").Get(), dtype=np.float64)
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_array_equal(np.rint(255 * back), mesh.colors)
    assert prim.GetSubdivisionSchemeAttr().Get() == "none"


def with_confidence(mesh: TriangleMesh) -> TriangleMesh:
    values = np.linspace(0, 1, len(mesh.vertices)).astype(np.float32)
    return TriangleMesh(mesh.vertices, mesh.faces, mesh.normals, mesh.colors, {"confidence": values})


def test_units_are_known_and_usd_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in WRITE_SUFFIXES:
        with pytest.raises(InputError, match="unknown unit 'yd'; give one of m, cm, mm, ft, in"):
            write_mesh(sphere(), tmp_path / f"m{suffix}", units="yd")
    monkeypatch.setitem(sys.modules, "pxr", None)
    monkeypatch.setitem(sys.modules, "pxr.Usd", None)
    with pytest.raises(InputError, match="pip install usd-core"):
        write_mesh(sphere(), tmp_path / "m.usda")
    assert not list(tmp_path.iterdir())
