# SPDX-License-Identifier: MIT
"""``fastsdf eval --html``: error maps, worst locations, and one self-contained page."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastsdf.evaluation import evaluate
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.io import write_mesh, write_point_cloud
from fastsdf.rendering.camera import look_along
from fastsdf.rendering.pictures import draw, visible_points, without_ceiling
from fastsdf.rendering.rasterise import rasterise
from fastsdf.rendering.viewpoints import UP
from fastsdf.report.error_maps import (
    COLORS,
    UNOBSERVED_COLOR,
    ErrorMap,
    distance_at_points,
    distance_where_observed,
    error_colors,
    splats,
)
from fastsdf.report.score_scene import make_scored_scene
from fastsdf.report.worst import MAX_LOCATIONS, worst_locations
from fastsdf.synthetic.solids import box
from tests.helpers.cli_calls import call_main
from tests.helpers.cli_runs import SIZE_M, box_room
from tests.helpers.html_pages import Page, decode

KEYS = ["accuracy", "completeness", "worst", "metrics"]
RAISED_M = 0.02
FLOOR = TriangleMesh(
    np.array([[-9.0, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]]), np.array([[0, 1, 2], [0, 2, 3]]), None
)
CAMERA = look_along(np.array([0.0, 0, 2]), np.array([1.0, 0, -1]), UP, math.radians(60), (80, 60))


def room(raised_m: float = 0.0) -> TriangleMesh:
    """The box room with its floor ``raised_m`` too high; its faces point into the air."""
    solid = box(np.zeros(3), np.asarray(SIZE_M))
    return TriangleMesh(np.maximum(solid.vertices, (-1, -1, raised_m)), solid.faces[:, ::-1])


def test_visible_points_lie_on_the_surface_behind_their_pixels() -> None:
    hits = rasterise(CAMERA, FLOOR.vertices, FLOOR.faces, 0.01)
    points = visible_points(CAMERA, hits)
    assert len(points) == (hits.face >= 0).sum() > 1000
    assert np.abs(points[:, 2]).max() < 1e-9
    pixels = CAMERA.to_screen(CAMERA.to_camera(points))
    row, column = np.nonzero(hits.face >= 0)
    np.testing.assert_allclose(pixels, np.stack([column, row], 1) + 0.5, atol=1e-6)


def test_the_colours_of_the_scale() -> None:
    colors = error_colors(np.array([0.0, 1.0, 7.0, np.nan]))
    np.testing.assert_allclose(colors, [COLORS[0], COLORS[-1], COLORS[-1], UNOBSERVED_COLOR])


def test_splats_show_points_from_their_front() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3)) * [1, 1, 0] + [2, 0, 0]
    up = PointCloud(points, normals=np.tile(UP, (500, 1)))
    drawn = splats(up, 0.2, CAMERA)
    assert len(drawn.faces) == 1000 and len(drawn.vertices) == 2000
    hits = rasterise(CAMERA, drawn.vertices, drawn.faces, 0.01)
    pixels = np.floor(CAMERA.to_screen(CAMERA.to_camera(points))).astype(int)
    pixels = pixels[((pixels >= 0) & (pixels < [80, 60])).all(1)]
    assert len(pixels) > 100 and (hits.face[pixels[:, 1], pixels[:, 0]] >= 0).all()
    assert not len(splats(replace(up, normals=-np.tile(UP, (500, 1))), 0.2, CAMERA).faces)


def test_an_error_map_has_the_colour_of_the_distance() -> None:
    picture = ErrorMap(FLOOR, lambda points: np.where(points[:, 1] > 0, 0.1, 0.0), 0.05, 0.0).inside(CAMERA)
    left, right = picture[30, 10] / 255, picture[30, 70] / 255
    assert np.abs(left - COLORS[-1]).max() < 0.08 and np.abs(right - COLORS[0]).max() < 0.08


def test_worst_locations_are_apart_and_in_order() -> None:
    rng = np.random.default_rng(0)
    centres = np.arange(8)[:, None] * [1.0, 0, 0]
    points = np.concatenate([centre + 0.1 * rng.uniform(-1, 1, (50, 3)) for centre in centres])
    distance = np.repeat(0.01 * np.arange(1, 9), 50) - 1e-4 * rng.random(400)
    locations = worst_locations(points, distance, 0.055, 0.5)
    assert [round(location.position[0]) for location in locations] == [7, 6, 5]
    assert all(location.share == pytest.approx(50 / 400) for location in locations)
    assert len(worst_locations(points, distance, 0.0, 0.5)) == MAX_LOCATIONS
    assert not worst_locations(points, distance, 1.0, 0.5)


@pytest.mark.open3d
def test_surface_that_was_not_observed_is_not_scored() -> None:
    distance = distance_where_observed(room(), PointCloud(np.array([[1.0, 1, 0]])), 0.1)
    found = distance(np.array([[1.0, 1, -0.05], [2.0, 2, 0.0]]))
    assert found[0] == pytest.approx(0.05, abs=1e-6) and np.isnan(found[1])


@pytest.mark.open3d
def test_squares_have_the_distance_of_their_points() -> None:
    distance = distance_at_points(room(), np.array([[1.0, 1, 0.03], [3.0, 2, 0.0]]))
    np.testing.assert_allclose(distance(np.array([[1.0, 1, 0.2], [3.1, 2, 0.1]])), [0.03, 0.0], atol=1e-6)


@pytest.mark.open3d
@pytest.mark.parametrize("flipped", [False, True])
def test_a_mesh_inside_out_is_flipped(flipped: bool) -> None:
    mesh = room()
    given = replace(mesh, faces=mesh.faces[:, ::-1]) if flipped else mesh
    scores = evaluate(given, room(), samples=2000)
    scene = make_scored_scene(given, room(), None, scores, "y")
    assert scene.inside_out is flipped and not scene.is_object and len(scene.cameras) == 2
    np.testing.assert_array_equal(scene.mesh.faces, mesh.faces)
    np.testing.assert_allclose(scene.mesh.vertices @ scene.axes, mesh.vertices)
    for camera in scene.cameras:
        assert ((camera.eye @ scene.axes > 0) & (camera.eye @ scene.axes < SIZE_M)).all()


@pytest.mark.open3d
def test_cameras_of_an_object_lie_outside() -> None:
    solid = box(np.zeros(3), np.asarray(SIZE_M))
    scene = make_scored_scene(solid, solid, None, evaluate(solid, solid, samples=2000), "z")
    assert scene.is_object and len(scene.cameras) == 2
    for camera in scene.cameras:
        assert ((camera.eye < 0) | (camera.eye > SIZE_M)).any()


def test_empty_pictures() -> None:
    wall = TriangleMesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]), np.array([[0, 1, 2]]))
    assert without_ceiling(wall) is wall
    nothing = splats(PointCloud(np.zeros((0, 3))), 0.1, CAMERA)
    assert draw(nothing, CAMERA, lambda points: error_colors(points[:, 0])).std(axis=(0, 1)).max() == 0


@pytest.mark.open3d
@pytest.mark.parametrize("kind", ["mesh", "observed", "points"])
def test_the_page_shows_errors_in_both_directions(tmp_path: Path, kind: str) -> None:
    """A floor that is 2 cm too high is the worst location."""
    write_mesh(room(RAISED_M), tmp_path / "mesh.ply")
    write_mesh(room(), tmp_path / "truth.ply")
    write_point_cloud(PointCloud(box_room(4000).points), tmp_path / "points.ply")
    reference = tmp_path / ("points.ply" if kind == "points" else "truth.ply")
    observed = ("--observed", tmp_path / "points.ply") if kind == "observed" else ()
    page_path = tmp_path / "deep" / "scores.html"
    assert call_main("eval", tmp_path / "mesh.ply", "--reference", reference, *observed, "--html", page_path) == 0
    page = Page(page_path)
    assert page.keys == KEYS and len(page.images) == 10
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert all(decode(uri)[..., :3].std() > 0.01 for uri in page.images)
    assert "Chamfer L1" in page.text and ("Grey is surface" in page.text) == (kind == "observed")
    if kind == "mesh":
        assert "20 mm; " in page.text


def test_pages_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    line = ("eval", "mesh.ply", "--reference", "truth.ply", "--html")
    assert call_main(*line, tmp_path) == 2 and "is a folder; name a file" in capsys.readouterr().err
    assert call_main(*line, "a.html", "--up", "w") == 2 and "is no axis" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert call_main(*line, "a.html") == 2 and "reports need jinja2" in capsys.readouterr().err
