# SPDX-License-Identifier: MIT
"""The parts of the viewer without a server: colours, sections, levels, camera positions, mesh file, job queue."""

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
from fastsdf.spatial.voxel_downsample import even_indices
from fastsdf.viewer import content as viewer_content
from fastsdf.viewer import light
from fastsdf.viewer.camera_positions import camera_positions
from fastsdf.viewer.coloring import GREY, scale_colors
from fastsdf.viewer.content import Content, make_content, mean_nearby, preview_voxel_m
from fastsdf.viewer.glb import mesh_glb
from fastsdf.viewer.jobs import Jobs
from fastsdf.viewer.panel import describe, slider_range
from fastsdf.viewer.planes import ROTATIONS, on_zero_line, plane_picture, section_pixels
from fastsdf.viewer.server import check_address, open_server
from tests.helpers.cli_runs import SIZE_M

UTM_M = np.array([4e5, 5e6, 100.0])


@pytest.fixture(scope="module")
def content(tiny_fit: FittedField) -> Content:
    """The tiny room as the viewer shows it."""
    return make_content(tiny_fit, tiny_fit.extract_mesh(0.1))


def far_away(fitted: FittedField) -> FittedField:
    """The same fit of the same room, somewhere in UTM coordinates."""
    center = tuple(float(c) for c in fitted.transform.center_m + UTM_M)
    transform = replace(fitted.transform, center_m=center)
    return replace(fitted, scan=replace(fitted.scan, transform=transform))


def test_even_indices_are_all_or_evenly_spaced() -> None:
    np.testing.assert_array_equal(even_indices(5, 10), np.arange(5))
    some = even_indices(1000, 10)
    assert len(np.unique(some)) == 10 and some[0] == 0 and some[-1] == 999


def test_large_meshes_and_scans_are_reduced(tiny_fit: FittedField, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fast_simplification")
    monkeypatch.setattr(viewer_content, "MAX_FACES", 2000)
    monkeypatch.setattr(viewer_content, "MAX_POINTS", 500)
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


def test_the_colour_scale_ends_and_marks_missing_values() -> None:
    colors = scale_colors(np.array([0.0, 2.0, 9.0, np.nan]), 2.0)
    assert tuple(colors[0]) == (68, 1, 84) and tuple(colors[1]) == tuple(colors[2]) == (253, 231, 37)
    assert tuple(colors[3]) == GREY


def test_the_browser_shows_the_given_colours() -> None:
    """The light goes through exposure, tone curve and sRGB as in three.js; only colours near white change a little."""
    colors = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    v = light.before_tone_mapping(colors).astype(np.float64) / light.EXPOSURE @ light.TO_ACES.T
    mapped = (v * (v + light.CURVE_A) - light.CURVE_B) / (v * (light.CURVE_C * v + light.CURVE_D) + light.CURVE_E)
    linear = np.clip(mapped @ light.FROM_ACES.T, 0.0, 1.0)
    shown = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    difference = np.abs(shown - colors).max(1)
    assert np.median(difference) < 0.01 and difference.max() < 8


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
def test_a_section_lies_at_its_position_in_the_world(axis: int) -> None:
    """Rotated into the world, the ball drawn in the section lies where the field has it."""
    ball = np.array([0.5, 0.8, 1.1])
    box = Box(np.zeros(3), np.array([2.0, 3.0, 4.0]))
    plane = plane_picture(
        field_section(lambda x: 0.3 - np.linalg.norm(x - ball, axis=1), box, axis, ball[axis], ("x", "y", "z"), 100),
        axis,
        ball[axis],
    )
    w, x, y, z = ROTATIONS[axis]
    rotation = np.array(
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
    assert np.abs(plane.center + rotation @ [across, along, 0.0] - ball).max() < 0.03
    assert plane.center[axis] == ball[axis]


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


def test_a_mesh_without_attributes_is_coloured_by_its_normals(tiny_fit: FittedField) -> None:
    mesh = tiny_fit.extract_mesh(0.2)
    bare = make_content(tiny_fit, TriangleMesh(mesh.vertices, mesh.faces))
    assert set(bare.mesh_colorings) == {"normals", "distance of the scan"}
    assert bare.mesh_coloring(bare.mesh, "normals").colors.shape == mesh.vertices.shape


def test_fewer_levels_are_another_surface(content: Content) -> None:
    assert content.level_mesh(content.levels) is content.mesh
    coarse = content.level_mesh(3)
    assert content.level_mesh(3) is coarse and len(coarse.faces) > 100
    limited = replace(content.fitted, levels=3.0)
    assert np.median(np.abs(limited.sdf(coarse.vertices))) < 2e-3
    assert np.median(np.abs(content.fitted.sdf(coarse.vertices))) > np.median(np.abs(limited.sdf(coarse.vertices)))


def test_previews_are_coarser_than_the_mesh(tiny_fit: FittedField) -> None:
    assert preview_voxel_m(tiny_fit, 10**9) == tiny_fit.config.mesh.voxel_size_m
    voxel_size_m = preview_voxel_m(tiny_fit, 5000)
    assert 1500 < len(tiny_fit.extract_mesh(voxel_size_m).faces) < 12000


def test_large_coordinates_are_shown_near_the_origin(tiny_fit: FittedField) -> None:
    near, far = (make_content(f, f.extract_mesh(0.2)) for f in (tiny_fit, far_away(tiny_fit)))
    assert not near.offset_m.any() and "coordinates" not in describe(near, "room")
    assert np.abs(far.offset_m - UTM_M).max() < 5 and (far.offset_m == np.rint(far.offset_m)).all()
    assert "world minus" in describe(far, "room")
    assert np.abs(far.points_m - UTM_M - near.points_m).max() < 1e-6


@pytest.mark.parametrize("up", ["z", "-x"])
def test_camera_positions_lie_inside_the_room_and_above_it(tiny_fit: FittedField, up: str) -> None:
    found = camera_positions(make_scene(tiny_fit, tiny_fit.extract_mesh(0.2), up))
    assert [position.name for position in found] == ["inside 1", "inside 2", "from above"]
    for position in found[:2]:
        assert (position.eye > 0).all() and (position.eye < SIZE_M).all()
        assert 0.05 < np.linalg.norm(position.target - position.eye) < 5
    axis = "xyz".index(up[-1])
    sign = -1 if up[0] == "-" else 1
    assert found[2].up[axis] == sign and sign * (found[2].eye - SIZE_M / 2)[axis] > 1


def test_sliders_move_in_round_steps() -> None:
    assert slider_range(-0.19, 4.32) == (-0.19, 4.32, 0.01, 2.06)
    low, high, step, middle = slider_range(5_000_000.123, 5_000_030.5)
    assert low <= 5_000_000.123 and high >= 5_000_030.5 and step == 0.1 and low < middle < high


def test_a_new_job_replaces_a_waiting_one_of_the_same_name() -> None:
    done: list[str] = []
    jobs = Jobs()
    jobs.submit("a", lambda: done.append("old a"))
    jobs.submit("b", lambda: jobs.submit("c", lambda: done.append("c")))
    jobs.submit("a", lambda: done.append("a"))
    jobs.run_pending()
    assert done == ["a", "c"]


def test_addresses_that_cannot_be_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="give another --port"):
        check_address("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(InputError, match="--port is 70000"):
        check_address("127.0.0.1", 70000)
    with pytest.raises(InputError, match="cannot listen at"):
        check_address("no-such-host.invalid", 0)
    check_address("127.0.0.1", 0)


def test_a_missing_viser_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match="pip install viser"):
        open_server("127.0.0.1", 0)
