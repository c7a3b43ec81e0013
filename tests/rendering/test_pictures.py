# SPDX-License-Identifier: MIT
"""Cameras, rasteriser, viewpoints and sections against analytic results."""

import math
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from fastsdf.config.loading import override
from fastsdf.errors import MeshingError
from fastsdf.geometry import TriangleMesh
from fastsdf.model import FittedField
from fastsdf.rendering import rasterise as raster
from fastsdf.rendering.camera import Camera, look_along
from fastsdf.rendering.pictures import BACK_COLOR, BACKGROUND_COLOR, GAMMA, draw, without_back_faces, without_ceiling
from fastsdf.rendering.rasterise import Hits, rasterise
from fastsdf.rendering.scene import FRAMES, Box, make_scene
from fastsdf.rendering.sections import field_section, map_from_above
from fastsdf.rendering.viewpoints import (
    UP,
    cameras_in_air,
    candidate_eyes,
    free_distances,
    front_share,
    overhead_camera,
)
from tests.helpers.cli_runs import SIZE_M

FOV = math.radians(60)
SIZE = (160, 120)


def camera_at(eye: tuple[float, float, float], forward: tuple[float, float, float]) -> Camera:
    """A small camera with z up."""
    return look_along(np.array(eye), np.array(forward), UP, FOV, SIZE)


def rays(camera: Camera) -> np.ndarray:
    """(height, width, 3) world directions through the pixel centres, of depth 1."""
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal
    y = (np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal
    return x[None, :, None] * camera.axes[0] + y[:, None, None] * camera.axes[1] + camera.axes[2]


def sphere(inward: bool = False) -> TriangleMesh:
    """A unit sphere about the origin."""
    ball = trimesh.creation.icosphere(subdivisions=5)
    faces = np.asarray(ball.faces, np.int64)
    return TriangleMesh(np.asarray(ball.vertices, np.float64), faces[:, ::-1] if inward else faces)


def intersect(camera: Camera, corners: np.ndarray, near: float) -> Hits:
    """Every ray against every triangle (t, 3, 3)."""
    along = rays(camera)[:, :, None]
    origin, one, two = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(along, two)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (one * across).sum(-1)
        first = scale * ((camera.eye - origin) * across).sum(-1)
        turned = np.cross(camera.eye - origin, one)
        second, depth = scale * (along * turned).sum(-1), scale * (two * turned).sum(-1)
    hit = (first >= 0) & (second >= 0) & (first + second <= 1) & (depth >= near)
    depth = np.where(hit, depth, np.inf)
    nearest = depth.min(-1)
    return Hits(np.where(np.isfinite(nearest), depth.argmin(-1), -1), nearest)


def test_sphere_has_the_analytic_silhouette_and_depth() -> None:
    distance, ball = 3.0, sphere()
    camera = camera_at((-distance, 0, 0), (1, 0, 0))
    hits = rasterise(camera, ball.vertices, ball.faces, 0.01)
    along = rays(camera)
    a, b, c = (along**2).sum(-1), along @ camera.eye, distance**2 - 1
    inside = b**2 - a * c
    truth = (-b - np.sqrt(np.maximum(inside, 0))) / a
    seen = hits.face >= 0
    assert np.isinf(hits.depth[~seen]).all()
    assert (seen != (inside > 0)).sum() < 0.02 * seen.sum()
    radius = camera.focal * math.tan(math.asin(1 / distance))
    assert seen.sum() == pytest.approx(math.pi * radius**2, rel=0.01)
    middle = inside > 0.3
    assert np.abs(hits.depth - truth)[middle].max() < 2e-3


def test_rasterising_agrees_with_ray_casting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The triangles are small or huge, some lie behind the eye or cross the near plane, and several chunks are used."""
    monkeypatch.setattr(raster, "FACE_CHUNK", 37)
    monkeypatch.setattr(raster, "PIXEL_CHUNK", 1 << 10)
    rng = np.random.default_rng(0)
    sizes = rng.choice([0.1, 0.5, 6.0], (150, 1, 1), p=[0.5, 0.44, 0.06])
    corners = 2 * rng.normal(size=(150, 1, 3)) + sizes * rng.normal(size=(150, 3, 3))
    camera = camera_at((0.1, 0.2, 0.3), (1.0, 0.4, -0.2))
    hits = rasterise(camera, corners.reshape(-1, 3), np.arange(450).reshape(-1, 3), 0.05)
    truth = intersect(camera, corners, 0.05)
    assert len(np.unique(truth.face)) > 10 and (corners @ camera.axes[2] < 0).any(1).sum() > 30
    same = hits.face == truth.face
    assert same.mean() > 0.999
    np.testing.assert_allclose(hits.depth[same], truth.depth[same], rtol=1e-6)


def test_a_floor_under_the_eye_is_cut_at_the_near_plane() -> None:
    corners = 1e3 * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    camera = camera_at((0, 0, 1), (1, 0, 0))
    hits = rasterise(camera, corners, np.array([[0, 1, 2], [0, 2, 3]]), 0.01)
    down = -rays(camera)[..., 2]
    assert ((hits.face >= 0) == (down > 2e-3)).mean() > 0.98
    seen = hits.face >= 0
    np.testing.assert_allclose(hits.depth[seen], 1 / down[seen], rtol=1e-6)


def test_an_empty_view_shows_the_background() -> None:
    picture = draw(sphere(), camera_at((-3, 0, 0), (-1, 0, 0)))
    assert (picture == np.rint(255 * BACKGROUND_COLOR)).all()


def test_colours_of_the_scan_and_of_backs() -> None:
    ball, camera = sphere(), camera_at((-3, 0, 0), (1, 0, 0))
    color = np.array([200, 40, 40], np.uint8)
    painted = TriangleMesh(ball.vertices, ball.faces, colors=np.tile(color, (len(ball.vertices), 1)))
    height, width = SIZE[1] // 2, SIZE[0] // 2
    assert np.abs(draw(painted, camera)[height, width].astype(int) - color).max() <= 2
    back = draw(sphere(inward=True), camera)[height, width]
    assert np.abs(back - 255 * BACK_COLOR ** (1 / GAMMA)).max() <= 2
    assert len(without_back_faces(sphere(inward=True), camera.eye).faces) > len(ball.faces) / 2


def test_without_ceiling_keeps_low_faces() -> None:
    low = without_ceiling(sphere())
    assert -1 <= low.vertices[:, 2].min() < -0.99 and 0.5 < low.vertices[:, 2].max() <= 0.6
    assert low.faces.max() == len(low.vertices) - 1


def room(points: np.ndarray) -> np.ndarray:
    """Signed distance to a box with one corner at 0, positive inside; exact inside, a bound outside."""
    return np.minimum(points, SIZE_M - points).min(1)


def test_overhead_camera_sees_the_whole_box() -> None:
    camera = overhead_camera(np.zeros(3), SIZE_M)
    corners = np.array(np.meshgrid(*zip(np.zeros(3), SIZE_M, strict=True))).reshape(3, -1).T
    seen = camera.to_screen(camera.to_camera(corners)) / [camera.width, camera.height]
    assert (seen > 0).all() and (seen < 1).all() and np.ptp(seen, axis=0).max() > 0.8
    assert camera.eye[2] > SIZE_M[2]


def test_cameras_in_air_lie_in_the_air_and_apart_and_look_along_the_room() -> None:
    box = trimesh.creation.box(SIZE_M).subdivide_to_size(0.1)
    walls = TriangleMesh(np.asarray(box.vertices) + SIZE_M / 2, np.asarray(box.faces)[:, ::-1])
    first, second = cameras_in_air(room, np.zeros(3), SIZE_M, walls)
    assert (room(np.stack([first.eye, second.eye])) > 0.3).all()
    assert np.linalg.norm(first.eye - second.eye) > 1
    for camera in (first, second):
        assert camera.axes[2] @ (SIZE_M / 2 - camera.eye) > 0


def test_cameras_around_an_object_look_at_it(tiny_fit: FittedField) -> None:
    corner = np.full(3, 2.0)
    cameras = cameras_in_air(lambda p: np.linalg.norm(p, axis=1) - 1, -corner, corner, sphere(), np.zeros(3))
    for camera in cameras:
        distance = np.linalg.norm(camera.eye)
        assert distance > 1 and camera.axes[2] @ camera.eye == pytest.approx(-distance)
    of_object = replace(tiny_fit, config=override(tiny_fit.config, scene="object"))
    scene = make_scene(of_object, sphere(), "z")
    assert scene.target == pytest.approx(SIZE_M / 2, abs=0.1)
    assert (scene.camera_box.lower < -1).all() and (scene.camera_box.upper > SIZE_M + 1).all()


def test_front_share_counts_vertices_that_face_the_camera() -> None:
    camera = camera_at((-3, 0, 0), (1, 0, 0)).scaled(4)
    ball = sphere()
    share = math.pi * (camera.focal * math.tan(math.asin(1 / 3))) ** 2 / (camera.width * camera.height)
    facing = front_share(TriangleMesh(ball.vertices, ball.faces, normals=ball.vertices), camera)
    assert facing == pytest.approx(share, rel=0.15) and front_share(ball, camera) == pytest.approx(share, rel=0.15)
    assert front_share(TriangleMesh(ball.vertices, ball.faces, normals=-ball.vertices), camera) < 0.2 * share
    assert front_share(ball, camera_at((-3, 0, 0), (-1, 0, 0))) == 0


def test_no_air_is_an_error() -> None:
    with pytest.raises(MeshingError, match="no air inside"):
        candidate_eyes(lambda p: -np.ones(len(p)), np.zeros(3), SIZE_M)


def test_free_distances_end_at_the_walls() -> None:
    distances = free_distances(room, np.array([1.0, 1.0, 1.0]), np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1]]), 10.0)
    np.testing.assert_allclose(distances, [3.0, 1.0, 1.5], atol=1e-6)


@pytest.mark.parametrize("up", FRAMES)
def test_camera_positions_of_a_fit_lie_in_its_air(tiny_fit: FittedField, up: str) -> None:
    scene = make_scene(tiny_fit, sphere(), up)
    assert np.linalg.det(scene.axes) == pytest.approx(1) and (scene.axes[2] != 0).sum() == 1
    assert "xyz"[np.abs(scene.axes[2]).argmax()] == up[-1] and (scene.axes[2].sum() < 0) == (up[0] == "-")
    eyes = candidate_eyes(scene.clearance, *scene.camera_box) @ scene.axes
    assert (tiny_fit.sdf(eyes) > 0.2).all() and (room(eyes) > 0.2).all()
    assert (scene.mesh.vertices @ scene.axes == sphere().vertices).all()


@pytest.mark.parametrize(("axis", "names"), [(0, ("y", "z")), (1, ("x", "z")), (2, ("x", "y"))])
def test_section_of_a_field(axis: int, names: tuple[str, str]) -> None:
    upper = np.array([4.0, 3.0, 2.5])
    section = field_section(lambda p: p @ [1.0, 10.0, 100.0], Box(np.zeros(3), upper), axis, 1.25, FRAMES["z"])
    assert section.names == names and section.plane == f"{'xyz'[axis]} = 1.25"
    assert section.values.shape == (len(section.along), len(section.across))
    weights = np.delete([1.0, 10.0, 100.0], axis)
    expected = weights[0] * section.across + weights[1] * section.along[:, None] + 1.25 * 10.0**axis
    np.testing.assert_allclose(section.values, expected, rtol=1e-9)


def test_map_from_above_averages_the_values() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((20000, 3)) * [2.0, 1.0, 3.0]
    found = map_from_above(points, points[:, 0], FRAMES["z"])
    assert found.values.shape[1] > 1.8 * found.values.shape[0]
    pitch = found.across[1] - found.across[0]
    assert np.nanmax(np.abs(found.values - found.across)) <= pitch / 2 + 1e-9
    assert np.isfinite(found.values).mean() > 0.95
