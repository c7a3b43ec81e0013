# SPDX-License-Identifier: MIT
"""Colours, confidence, fewer faces and the up axis, from arrays to files and the command line."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from plyfile import PlyData
from scipy.spatial import KDTree
from typer.testing import CliRunner

from fastsdf import FittedField, TriangleMesh, write_mesh
from fastsdf.commands.app import app
from fastsdf.errors import InputError
from fastsdf.io import read_mesh
from fastsdf.meshing import attributes as vertex_attributes
from fastsdf.meshing import color_by, decimate, drop_small_components, keep_faces
from fastsdf.meshing.components import face_areas
from fastsdf.meshing.discs import NEIGHBOURS, make_discs, nearest_discs
from fastsdf.numerics.colormap import VIRIDIS, interpolate_colors
from fastsdf.prepare.prepared_scan import Support
from tests.helpers.flat_meshes import SPACING, flat_mesh, half_scan
from tests.helpers.surfaces import as_surface
from tests.helpers.tiny_room import GAP_M, PALETTE, side_of


@pytest.fixture(scope="module")
def mesh(tiny_fit: FittedField) -> TriangleMesh:
    """The mesh of the tiny fit with all it carries."""
    return tiny_fit.extract_mesh()


@pytest.fixture(scope="module")
def run(tiny_fit: FittedField, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny fit as a run folder."""
    folder = tmp_path_factory.mktemp("attributes") / "run"
    tiny_fit.save(folder)
    return folder


def with_support(mesh: TriangleMesh, confidence: np.ndarray, measured: np.ndarray) -> TriangleMesh:
    """A mesh with its confidence and what is measured of it."""
    added = torch.from_numpy(confidence), torch.from_numpy(measured)
    return vertex_attributes.with_support(as_surface(mesh), *added).numpy()


def scan_colors(mesh: TriangleMesh, support: Support, spacings: float) -> np.ndarray:
    """The scan's colours at the vertices of a mesh."""
    surface = as_surface(mesh)
    assert surface.normals is not None
    discs = make_discs(support, spacings, 3.0, "cpu")
    near = nearest_discs(surface.vertices, surface.normals, discs, NEIGHBOURS)
    return vertex_attributes.scan_colors(near, discs).numpy()


def coloured(support: Support, colors: np.ndarray) -> Support:
    return Support(support.points, support.normals, support.spacing, support.noise, colors.astype(np.uint8))


def command(*arguments: object) -> str:
    """Runs a command in this process and returns what it printed; its error if it fails."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_colours_follow_an_edge_and_drop_wrong_points() -> None:
    support, plane = half_scan(width=0.8), flat_mesh()
    right = support.points[:, 0] > 0.401
    colors = np.where(right[:, None], [10, 200, 30], [240, 100, 0])
    wrong = np.arange(len(colors)) % 11 == 5
    found = scan_colors(plane, coloured(support, np.where(wrong[:, None], [255, 255, 255], colors)), 2.0).astype(int)
    x = plane.vertices[:, 0]
    assert np.array_equal(np.unique(found[x < 0.4 - 2 * SPACING], axis=0), [[240, 100, 0]])
    assert np.array_equal(np.unique(found[x > 0.4 + 3 * SPACING], axis=0), [[10, 200, 30]])


def test_colours_do_not_come_through_a_thin_wall_seen_edge_on_or_from_afar() -> None:
    support = half_scan(width=0.8)
    colors = np.tile([50, 60, 70], (len(support.points), 1))
    far = flat_mesh(3, height=1.0)
    np.testing.assert_array_equal(scan_colors(far, coloured(support, colors), 2.0)[0], [50, 60, 70])
    plane = flat_mesh(11)
    crossing = np.array([[0.1, 0.1, 0.001]])
    mixed = Support(
        np.vstack([support.points, crossing]),
        np.vstack([support.normals, [[1.0, 0, 0]]]),
        np.append(support.spacing, SPACING),
        support.noise,
        np.vstack([colors, [[255, 0, 0]]]).astype(np.uint8),
    )
    np.testing.assert_array_equal(np.unique(scan_colors(plane, mixed, 2.0), axis=0), [[50, 60, 70]])


def test_the_median_of_two_is_their_mean() -> None:
    points = np.array([[0.0, 0, 0], [0.01, 0, 0]])
    up = np.tile([0.0, 0, 1], (2, 1))
    support = Support(points, up, np.full(2, SPACING), 0.0, np.array([[0, 10, 255], [255, 20, 255]], np.uint8))
    vertex = TriangleMesh(np.array([[0.005, 0.0, 0.0]]), np.zeros((0, 3), np.int64), up[:1])
    np.testing.assert_array_equal(scan_colors(vertex, support, 2.0), [[128, 15, 255]])


def test_a_mesh_of_a_coloured_scan_has_its_colours(mesh: TriangleMesh) -> None:
    assert mesh.colors is not None and mesh.colors.dtype == np.uint8
    apart = np.abs(mesh.colors.astype(int) - PALETTE[side_of(mesh.vertices)]).max(axis=1)
    assert np.median(apart) < 12 and (apart < 40).mean() > 0.93


def test_confidence_and_measured_tell_the_gap_from_the_walls(mesh: TriangleMesh) -> None:
    confidence, measured = mesh.attributes["confidence"], mesh.attributes["measured"]
    assert confidence.dtype == np.float32 and measured.dtype == np.uint8
    assert confidence.min() >= 0 and confidence.max() <= 1 and set(np.unique(measured)) == {0, 1}
    in_gap = (side_of(mesh.vertices) == 2) & (np.abs(mesh.vertices[:, 0] - np.mean(GAP_M)) < 0.1)
    wall = (side_of(mesh.vertices) == 5) & (np.abs(mesh.vertices[:, :2] - [2.0, 1.5]) < 1).all(1)
    assert in_gap.any() and measured[in_gap].mean() < 0.5 < 0.97 < measured[wall].mean()
    assert confidence[in_gap].mean() < 0.4 < 0.6 < confidence[wall].mean()


def test_open_is_what_is_measured_and_closed_is_all(tiny_fit: FittedField, mesh: TriangleMesh) -> None:
    closed, opened = tiny_fit.extract_mesh(min_confidence=0), tiny_fit.extract_mesh(gap_spacings=0)
    assert len(opened.faces) < len(mesh.faces) < len(closed.faces)
    assert opened.attributes["measured"].all() and not closed.attributes["measured"].all()
    assert tiny_fit.config.mesh.min_component_area_m2 is not None
    surface = as_surface(mesh)
    measured = keep_faces(surface, surface.attributes["measured"][surface.faces].bool().all(dim=1))
    measured = drop_small_components(measured, tiny_fit.config.mesh.min_component_area_m2)
    area = float(face_areas(measured.vertices, measured.faces).sum())
    of_opened = as_surface(opened)
    np.testing.assert_allclose(area, float(face_areas(of_opened.vertices, of_opened.faces).sum()), rtol=0.02)


def test_attributes_follow_the_vertices() -> None:
    plane = flat_mesh(5)
    named = with_support(plane, np.arange(25) / 24, np.arange(25) % 2 == 0)
    place = TriangleMesh(named.vertices, named.faces, attributes={**named.attributes, "x": plane.vertices[:, 0]})
    kept = keep_faces(as_surface(place), torch.arange(0, len(plane.faces), 5)).numpy()
    np.testing.assert_array_equal(kept.attributes["x"], kept.vertices[:, 0])
    assert len(kept.attributes["confidence"]) == len(kept.vertices) < 25 and not flat_mesh(3).attributes


def test_ply_holds_attributes_and_other_formats_leave_them_out(tmp_path: Path) -> None:
    named = with_support(flat_mesh(3), np.arange(9) / 8, np.arange(9) > 4)
    for suffix in (".ply", ".obj", ".glb", ".stl"):
        write_mesh(named, tmp_path / f"m{suffix}")
        assert read_mesh(tmp_path / f"m{suffix}").vertices.shape == (9, 3)
    vertex = PlyData.read(str(tmp_path / "m.ply"))["vertex"]
    np.testing.assert_allclose(vertex["confidence"], np.arange(9) / 8)
    np.testing.assert_array_equal(vertex["measured"], np.arange(9) > 4)
    assert vertex["confidence"].dtype.str == "<f4" and vertex["measured"].dtype == np.uint8
    counted = TriangleMesh(named.vertices, named.faces, attributes={"count": np.arange(9) * 1000})
    write_mesh(counted, tmp_path / "c.ply")
    np.testing.assert_array_equal(PlyData.read(str(tmp_path / "c.ply"))["vertex"]["count"], np.arange(9) * 1000)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"x": np.zeros(9)}, "needs an unused name"),
        ({"two words": np.zeros(9)}, "needs an unused name"),
        ({"a": np.zeros(8)}, r"'a' must be \(9,\) numbers"),
        ({"a": np.zeros((9, 2))}, r"'a' must be \(9,\) numbers"),
        ({"a": np.array(["b"] * 9)}, r"'a' must be \(9,\) numbers"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(tmp_path: Path, attributes: dict, message: str) -> None:
    plane = flat_mesh(3)
    with pytest.raises(InputError, match=message):
        write_mesh(TriangleMesh(plane.vertices, plane.faces, attributes=attributes), tmp_path / "m.ply")
    assert not list(tmp_path.iterdir())


def test_colour_by_confidence_and_normals() -> None:
    plane = with_support(flat_mesh(3), np.arange(9) / 8, np.ones(9, bool))
    by_confidence = color_by(plane, "confidence").colors
    assert by_confidence is not None
    np.testing.assert_array_equal(by_confidence[[0, 2, 4, 6, 8]], VIRIDIS)
    by_normals = color_by(plane, "normals").colors
    assert by_normals is not None
    np.testing.assert_array_equal(np.unique(by_normals, axis=0), [[128, 128, 255]])
    for source, message in (("scan", "the scan has no colours"), ("height", "known: scan, confidence, normals")):
        with pytest.raises(InputError, match=message):
            color_by(plane, source)
    with pytest.raises(InputError, match="has no confidence"):
        color_by(flat_mesh(3), "confidence")


def test_fewer_faces_keep_the_shape_and_what_vertices_carry(mesh: TriangleMesh) -> None:
    pytest.importorskip("fast_simplification")
    moved = TriangleMesh(
        mesh.vertices + np.array([4e5, 5e6, 0]), mesh.faces, mesh.normals, mesh.colors, mesh.attributes
    )
    small = decimate(moved, 1500)
    assert 1300 < len(small.faces) <= 1500 and small.faces.max() == len(small.vertices) - 1
    gap, nearest = KDTree(moved.vertices).query(small.vertices)
    assert gap.max() < 0.15 and np.mean(gap) < 0.05
    assert small.normals is not None and moved.normals is not None
    np.testing.assert_array_equal(small.normals, moved.normals[nearest])
    for name, values in moved.attributes.items():
        np.testing.assert_array_equal(small.attributes[name], values[nearest])
    a, b, c = (small.vertices[small.faces[:, i]] for i in range(3))
    facing = (np.cross(b - a, c - a) * small.normals[small.faces[:, 0]]).sum(axis=1)
    assert (facing > 0).mean() > 0.97
    assert decimate(mesh, len(mesh.faces)) is mesh


def test_decimation_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="give at least 4"):
        decimate(flat_mesh(5), 3)
    monkeypatch.setitem(sys.modules, "fast_simplification", None)
    with pytest.raises(InputError, match="pip install fast-simplification"):
        decimate(flat_mesh(5), 10)


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
@pytest.mark.parametrize("offset", [0.0, 4e5])
def test_y_up_turns_vertices_and_normals(tmp_path: Path, suffix: str, offset: float) -> None:
    plane = flat_mesh(3)
    moved = TriangleMesh(plane.vertices + np.array([offset, 0.5, 2.0]), plane.faces, plane.normals)
    write_mesh(moved, tmp_path / f"m{suffix}", up="y")
    x, y, z = moved.vertices.T
    np.testing.assert_allclose(read_mesh(tmp_path / f"m{suffix}").vertices, np.stack([x, z, -y], axis=1), atol=1e-5)
    part = trimesh.load(str(tmp_path / f"m{suffix}"), process=False)
    part = next(iter(part.geometry.values())) if isinstance(part, trimesh.Scene) else part
    np.testing.assert_allclose(part.vertex_normals, np.tile([0.0, 1.0, 0.0], (9, 1)), atol=1e-6)
    np.testing.assert_allclose(part.face_normals, np.tile([0.0, 1.0, 0.0], (8, 1)), atol=1e-6)


@pytest.mark.parametrize(("name", "up", "message"), [("m.ply", "y", "keep the axes"), ("m.obj", "x", "give y or z")])
def test_other_axes_are_refused(tmp_path: Path, name: str, up: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_mesh(flat_mesh(3), tmp_path / name, up=up)


def test_the_mesh_command_takes_it_all(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("fast_simplification")
    out = tmp_path / "m.ply"
    command("mesh", run, "-o", out, "--device", "cpu", "--open", "--color-by", "confidence")
    vertex = PlyData.read(str(out))["vertex"]
    assert np.all(vertex["measured"] == 1)
    expected = interpolate_colors(vertex["confidence"], VIRIDIS).T
    np.testing.assert_allclose([vertex[name] for name in ("red", "green", "blue")], expected, atol=0.5)
    command("mesh", run, "-o", out, "--device", "cpu", "--closed", "--max-faces", 900)
    assert len(read_mesh(out).faces) <= 900
    assert "voxel size" in command(
        "mesh", run, "-o", tmp_path / "m.glb", "--device", "cpu", "--voxel-size", 0.2, "--up", "y"
    )
    height = read_mesh(tmp_path / "m.glb").vertices
    assert height[:, 1].max() < 2.7 and height[:, 2].min() < -2.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--up", "y"), "keep the axes"),
        (("--color-by", "height"), "known: scan"),
        (("--max-faces", 2), "give at least 4"),
        (("--voxel-size", 0), "--voxel-size is 0"),
    ],
)
def test_bad_options_are_refused_before_any_work(tmp_path: Path, options: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        command("mesh", tmp_path / "missing", "-o", tmp_path / "m.ply", *options)
