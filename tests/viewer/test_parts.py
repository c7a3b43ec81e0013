# SPDX-License-Identifier: MIT
"""What the viewer shows, without a server: colours, sections, levels, places, the mesh file, the queue of work."""

import json
import socket
import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import trimesh

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.model import FittedField
from fastsdf.rendering.scene import Box, make_scene
from fastsdf.rendering.sections import field_section
from fastsdf.spatial.voxel_downsample import evenly
from fastsdf.viewer import content as viewer_content
from fastsdf.viewer import light
from fastsdf.viewer.coloring import GREY, up_to
from fastsdf.viewer.content import Content, make_content, mean_nearby, preview_voxel_m
from fastsdf.viewer.glb import mesh_glb
from fastsdf.viewer.jobs import Jobs
from fastsdf.viewer.panel import describe, slider_range
from fastsdf.viewer.places import places
from fastsdf.viewer.planes import TURNS, on_zero_line, plane_picture, section_pixels
from fastsdf.viewer.server import check_address, open_server
from tests.helpers.cli_runs import SIZE_M

UTM_M = np.array([4e5, 5e6, 100.0])


@pytest.fixture(scope="module")
def content(tiny_fit: FittedField) -> Content:
    """The tiny room as it is shown."""
    return make_content(tiny_fit, tiny_fit.extract_mesh(0.1))


def far_away(fitted: FittedField) -> FittedField:
    """The same fit of the same room, somewhere in UTM coordinates."""
    center = tuple(float(c) for c in fitted.transform.center_m + UTM_M)
    transform = replace(fitted.transform, center_m=center)
    return replace(fitted, scan=replace(fitted.scan, transform=transform))


def test_evenly_takes_all_or_a_spread_of_them() -> None:
    np.testing.assert_array_equal(evenly(5, 10), np.arange(5))
    some = evenly(1000, 10)
    assert len(np.unique(some)) == 10 and some[0] == 0 and some[-1] == 999


def test_large_meshes_and_scans_are_reduced(tiny_fit: FittedField, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fast_simplification")
    monkeypatch.setattr(viewer_content, "MOST_FACES", 2000)
    monkeypatch.setattr(viewer_content, "MOST_POINTS", 500)
    mesh = tiny_fit.extract_mesh(0.1)
    shown = make_content(tiny_fit, mesh)
    assert len(shown.mesh.faces) <= 2000 < len(mesh.faces) == shown.faces
    assert len(shown.points_m) == 500
    text = describe(shown, "room")
    assert f"{len(shown.mesh.faces):,} of {len(mesh.faces):,} faces" in text and "500 of" in text


def test_means_of_nearby_values() -> None:
    points = np.array([[0.0, 0, 0], [0.1, 0, 0], [5, 0, 0]])
    found = mean_nearby(np.array([[0.05, 0, 0], [5, 0, 0], [2, 0, 0]]), points, np.array([1.0, 3.0, 7.0]), 0.2)
    np.testing.assert_allclose(found, [2.0, 7.0, np.nan])


def test_the_scale_ends_and_marks_what_is_missing() -> None:
    colors = up_to(2.0, np.array([0.0, 2.0, 9.0, np.nan]))
    assert tuple(colors[0]) == (68, 1, 84) and tuple(colors[1]) == tuple(colors[2]) == (253, 231, 37)
    assert tuple(colors[3]) == GREY


def test_the_browser_shows_the_colours_that_were_meant() -> None:
    """Through exposure, filmic curve and sRGB, as in three.js; only near white is a little lost."""
    colors = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    v = light.before_tone_mapping(colors).astype(np.float64) / light.EXPOSURE @ light.TO_ACES.T
    fitted = (v * (v + light.RISE) - light.FLOOR) / (v * (light.BEND * v + light.SLOPE) + light.BASE)
    seen = np.clip(fitted @ light.FROM_ACES.T, 0.0, 1.0)
    shown = 255 * np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    apart = np.abs(shown - colors).max(1)
    assert np.median(apart) < 0.01 and apart.max() < 8


def test_a_glb_file_holds_the_mesh() -> None:
    vertices, faces = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([[0, 1, 2], [0, 2, 3]])
    data = mesh_glb(vertices, faces, np.full((4, 3), 0.25))
    assert len(data) % 4 == 0 and int.from_bytes(data[8:12], "little") == len(data)
    (read,) = trimesh.load(BytesIO(data), file_type="glb", process=False).geometry.values()
    np.testing.assert_array_equal(read.vertices, vertices)
    np.testing.assert_array_equal(read.faces, faces)
    tree = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    (primitive,) = tree["meshes"][0]["primitives"]
    accessor = tree["accessors"][primitive["attributes"]["COLOR_0"]]
    assert (accessor["componentType"], accessor["type"], accessor["count"]) == (5126, "VEC3", 4)
    assert tree["materials"][primitive["material"]]["extensions"] == {"KHR_materials_unlit": {}}


def test_the_zero_line_is_where_the_sign_changes() -> None:
    values = np.array([[1.0, 1, 1, 1], [1, -1, 1, 1], [1, 1, 1, 1]])
    expected = np.array([[0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]], dtype=bool)
    np.testing.assert_array_equal(on_zero_line(values), expected)
    pixels = section_pixels(np.linspace(-1, 1, 100)[None].repeat(3, 0))
    assert (pixels[:, 49:51] == 0).all()
    assert (pixels[:, 0, 2] > pixels[:, 0, 0]).all() and (pixels[:, -1, 0] > pixels[:, -1, 2]).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_section_lies_where_it_was_taken(axis: int) -> None:
    """Its columns and rows, turned into the world, are the plane's two axes; the ball in it is where it is."""
    ball = np.array([0.5, 0.8, 1.1])
    box = Box(np.zeros(3), np.array([2.0, 3.0, 4.0]))
    plane = plane_picture(
        field_section(lambda x: 0.3 - np.linalg.norm(x - ball, axis=1), box, axis, ball[axis], ("x", "y", "z"), 100),
        axis,
        ball[axis],
    )
    w, x, y, z = TURNS[axis]
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    rows, columns = plane.pixels.shape[:2]
    red = (plane.pixels[..., 0] > plane.pixels[..., 2]).nonzero()
    across = (red[1].mean() + 0.5 - columns / 2) * plane.width / columns
    along = (red[0].mean() + 0.5 - rows / 2) * plane.height / rows
    assert np.abs(plane.middle + turn @ [across, along, 0.0] - ball).max() < 0.03
    assert plane.middle[axis] == ball[axis]


def test_colours_of_a_run(content: Content) -> None:
    assert next(iter(content.mesh_colorings)) == next(iter(content.scan_colorings)) == "scan"
    assert len(content.mesh_colorings) == 5 and len(content.scan_colorings) == 4
    for name in content.mesh_colorings:
        colors, legend = content.mesh_coloring(content.mesh, name)
        assert colors.shape == content.mesh.vertices.shape and colors.dtype == np.uint8
        assert bool(legend) == (name not in ("scan", "normals"))
    for color in content.scan_colorings.values():
        assert color().colors.shape == content.points_m.shape
    assert 0 < np.median(content.distances_m) < content.distance_limit_m < 0.5


def test_a_mesh_without_anything_is_coloured_by_its_normals(tiny_fit: FittedField) -> None:
    mesh = tiny_fit.extract_mesh(0.2)
    bare = make_content(tiny_fit, TriangleMesh(mesh.vertices, mesh.faces))
    assert set(bare.mesh_colorings) == {"normals", "distance of the scan"}
    assert bare.mesh_coloring(bare.mesh, "normals").colors.shape == mesh.vertices.shape


def test_fewer_levels_are_another_surface(content: Content) -> None:
    assert content.level_mesh(content.levels) is content.mesh
    coarse = content.level_mesh(3)
    assert content.level_mesh(3) is coarse and len(coarse.faces) > 100
    few = replace(content.fitted, levels=3.0)
    assert np.median(np.abs(few.sdf(coarse.vertices))) < 2e-3
    assert np.median(np.abs(content.fitted.sdf(coarse.vertices))) > np.median(np.abs(few.sdf(coarse.vertices)))


def test_previews_are_coarser_than_the_mesh(tiny_fit: FittedField) -> None:
    assert preview_voxel_m(tiny_fit, 10**9) == tiny_fit.config.mesh.voxel_size_m
    voxel_size_m = preview_voxel_m(tiny_fit, 5000)
    assert 1500 < len(tiny_fit.extract_mesh(voxel_size_m).faces) < 12000


def test_large_coordinates_are_shown_near_the_origin(tiny_fit: FittedField) -> None:
    near, far = (make_content(f, f.extract_mesh(0.2)) for f in (tiny_fit, far_away(tiny_fit)))
    assert not near.offset_m.any() and "coordinates" not in describe(near, "room")
    assert np.abs(far.offset_m - UTM_M).max() < 5 and (far.offset_m == np.rint(far.offset_m)).all()
    assert "world less" in describe(far, "room")
    assert np.abs(far.points_m - UTM_M - near.points_m).max() < 1e-6


@pytest.mark.parametrize("up", ["z", "-x"])
def test_one_starts_inside_and_looks_at_the_room(tiny_fit: FittedField, up: str) -> None:
    found = places(make_scene(tiny_fit, tiny_fit.extract_mesh(0.2), up))
    assert [place.name for place in found] == ["inside 1", "inside 2", "from above"]
    for place in found[:2]:
        assert (place.eye > 0).all() and (place.eye < SIZE_M).all()
        assert 0.05 < np.linalg.norm(place.target - place.eye) < 5
    axis = "xyz".index(up[-1])
    sign = -1 if up[0] == "-" else 1
    assert found[2].up[axis] == sign and sign * (found[2].eye - SIZE_M / 2)[axis] > 1


def test_sliders_move_in_round_steps() -> None:
    assert slider_range(-0.19, 4.32) == (-0.19, 4.32, 0.01, 2.06)
    low, high, step, middle = slider_range(5_000_000.123, 5_000_030.5)
    assert low <= 5_000_000.123 and high >= 5_000_030.5 and step == 0.1 and low < middle < high


def test_only_the_last_of_equal_work_is_done() -> None:
    done: list[str] = []
    jobs = Jobs()
    jobs.ask("a", lambda: done.append("old a"))
    jobs.ask("b", lambda: jobs.ask("c", lambda: done.append("c")))
    jobs.ask("a", lambda: done.append("a"))
    jobs.work_off()
    assert done == ["a", "c"]


def test_addresses_that_cannot_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="give another --port"):
        check_address("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(InputError, match="--port is 70000"):
        check_address("127.0.0.1", 70000)
    with pytest.raises(InputError, match="cannot listen at"):
        check_address("no-such-host.invalid", 0)
    check_address("127.0.0.1", 0)


def test_a_missing_viser_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match="pip install viser"):
        open_server("127.0.0.1", 0)
