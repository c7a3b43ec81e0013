# SPDX-License-Identifier: MIT
"""Solids, rooms, the virtual scanner, and the shipped scan in data/."""

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from fastsdf.errors import InputError
from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.evaluation.topology import topology
from fastsdf.geometry import TriangleMesh
from fastsdf.io import read_mesh, read_point_cloud
from fastsdf.synthetic import Scene, apartment, furnished_room, sample_surface, scan, visible_samples
from fastsdf.synthetic.bundle import bundled_room
from fastsdf.synthetic.distances import box_sdf, cylinder_sdf, sphere_sdf, torus_sdf
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.solids import (
    box,
    cylinder,
    lathe,
    moved,
    ribbon,
    rod,
    rotation,
    rounded_box,
    sphere,
    torus,
    volume,
)
from tests.helpers.paths import ROOT
from tests.helpers.scene_checks import check_stations

DATA = ROOT / "data"
HALF = np.array([0.3, 0.2, 0.5])


def _strip() -> TriangleMesh:
    t = np.linspace(0.0, 1.0, 9)
    path = np.stack([t, 0.0 * t, np.sin(t)], axis=1)
    return ribbon(path, np.tile([0.0, 1.0, 0.0], (9, 1)), 0.1 + 0.1 * t, 0.01)


SOLIDS = {
    "box": (box(-HALF, HALF), 0.24),
    "turned box": (moved(box(-HALF, HALF), (3, 2, 1), rotation((1, 2, 3), 77)), 0.24),
    "rounded box": (rounded_box(-HALF, HALF, 0.1), None),
    "pillow": (rounded_box((0, 0, 0), (0.4, 0.4, 0.1), 0.05), None),
    "cylinder": (cylinder(0.2, 0.7, 64), np.pi * 0.04 * 0.7),
    "cone stump": (cylinder(0.2, 0.7, 64, 0.1), np.pi * 0.7 / 3 * (0.04 + 0.02 + 0.01)),
    "sphere": (sphere(0.4, segments=64), 4 / 3 * np.pi * 0.064),
    "torus": (torus(0.5, 0.1, 96), 2 * np.pi**2 * 0.5 * 0.01),
    "shade": (lathe([(0.2, 0), (0.1, 0.3), (0.09, 0.3), (0.19, 0)], loop=True), None),
    "rod down": (rod((1, 1, 1), (1, 1, 0), 0.02), None),
    "rod askew": (rod((0, 0, 0), (-0.3, 0.2, -0.4), 0.02), None),
    "ribbon": (_strip(), None),
}


@pytest.fixture(scope="module")
def room(open3d: ModuleType) -> Scene:
    return furnished_room(5)


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_watertight_with_outward_normals(name: str) -> None:
    mesh, expected = SOLIDS[name]
    shape = topology(mesh)
    assert shape.watertight
    assert shape.components == 1
    assert volume(mesh) > 0
    if expected is not None:
        assert volume(mesh) == pytest.approx(expected, rel=0.01)


@pytest.mark.open3d
@pytest.mark.parametrize(
    ("mesh", "sdf"),
    [
        (box(-HALF, HALF), lambda x: box_sdf(x, HALF)),
        (cylinder(0.3, 0.8, 256), lambda x: cylinder_sdf(x, 0.3, 0.8)),
        (sphere(0.4, segments=256), lambda x: sphere_sdf(x, 0.4)),
        (torus(0.5, 0.15, 256), lambda x: torus_sdf(x, 0.5, 0.15)),
    ],
    ids=["box", "cylinder", "sphere", "torus"],
)
def test_signed_distances_match_the_meshes_and_are_positive_in_air(mesh: TriangleMesh, sdf) -> None:
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (4000, 3))
    exact = sdf(x)
    assert np.abs(np.abs(exact) - mesh_distance(mesh).distance(x)[0]).max() < 1e-3
    hits = RayScene(mesh).cast(x, np.tile([0.3, 0.5, 0.81], (len(x), 1)))
    inside = (hits.normal @ np.array([0.3, 0.5, 0.81])) > 0
    clear = np.abs(exact) > 2e-3
    assert (inside[clear] == (exact[clear] < 0)).all()


def test_rooms_repeat_for_a_seed_and_differ_between_seeds(room: Scene) -> None:
    again = furnished_room(5)
    assert np.array_equal(room.mesh.vertices, again.mesh.vertices)
    assert np.array_equal(room.stations, again.stations)
    assert not np.array_equal(room.mesh.vertices[:5000], furnished_room(6).mesh.vertices[:5000])


def test_a_room_is_made_of_closed_solids(room: Scene) -> None:
    shape = topology(room.mesh)
    assert shape.boundary_edges == 0
    assert volume(room.mesh) > 0
    assert np.allclose(room.mesh.vertices.min(axis=0), -0.2)


def test_stations_lie_in_free_air_and_the_shell_is_closed(room: Scene) -> None:
    check_stations(room)


def test_too_small_rooms_are_refused() -> None:
    with pytest.raises(InputError, match="too small"):
        furnished_room(0, size=(2.0, 2.0, 2.5))


@pytest.mark.open3d
def test_an_apartment_has_stations_in_every_room() -> None:
    flat = apartment(1)
    extent = flat.mesh.vertices.max(axis=0) - flat.mesh.vertices.min(axis=0)
    assert extent[0] * extent[1] > 5 * 4.2 * 3.6
    assert 12 <= len(flat.stations) <= 18
    rays = RayScene(flat.mesh)
    assert (rays.distance(flat.stations) > 0.3).all()
    directions = np.random.default_rng(0).standard_normal((20_000, 3))
    assert all((rays.cast(station, directions).face >= 0).all() for station in flat.stations)


def test_scanner_recovers_its_range_noise_and_outlier_share(room: Scene) -> None:
    clean = scan(room, points=20_000, range_noise_m=0.0, outliers=0.0, mixed_pixels=False, seed=1)
    off = mesh_distance(room.mesh).distance(clean.points)[0]
    assert np.percentile(off, 99.5) < 1e-4
    assert off.max() < 5e-3  # Embree's float32 hits on long slivers
    noisy = scan(room, points=20_000, range_noise_m=0.004, outliers=0.0, mixed_pixels=False, seed=1)
    errors = _range_errors(room, noisy.points, noisy.sensors)
    assert np.median(np.abs(errors)) == pytest.approx(0.6745 * 0.004, rel=0.05)
    stray = scan(room, points=20_000, range_noise_m=0.0, outliers=0.05, mixed_pixels=False, seed=1)
    wrong = mesh_distance(room.mesh).distance(stray.points)[0] > 1e-4
    assert wrong.mean() == pytest.approx(0.05, abs=0.01)


def test_mixed_pixels_lie_between_two_depths(room: Scene) -> None:
    cloud = scan(room, points=20_000, range_noise_m=0.0, outliers=0.0, seed=1)
    wrong = mesh_distance(room.mesh).distance(cloud.points)[0] > 1e-4
    assert 0.001 < wrong.mean() < 0.06


def test_sensors_see_their_points(room: Scene) -> None:
    cloud = scan(room, points=20_000, outliers=0.0, mixed_pixels=False, seed=2)
    assert len(cloud) == 20_000
    assert {tuple(s) for s in cloud.sensors} == {tuple(s) for s in room.stations}
    assert (np.abs(_range_errors(room, cloud.points, cloud.sensors)) < 0.02).mean() > 0.995


def test_scans_repeat_for_a_seed(room: Scene) -> None:
    first, again, other = (scan(room, points=5000, seed=s) for s in (3, 3, 4))
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.points, other.points)


def test_the_angular_step_sets_the_number_of_points(room: Scene) -> None:
    cloud = scan(room, angular_step_deg=2.0)
    assert len(cloud) == pytest.approx(len(room.stations) * 4 * np.pi / np.radians(2.0) ** 2, rel=0.02)
    with pytest.raises(InputError, match="out of range"):
        scan(room, outliers=1.5)


def test_visible_samples_face_a_station_that_sees_them(room: Scene) -> None:
    seen = visible_samples(room, 5000, seed=0)
    assert seen.shape == (5000, 6)
    best = np.full(5000, False)
    for station in room.stations:
        errors = _range_errors(room, seen[:, :3], np.broadcast_to(station, (5000, 3)))
        best |= (errors < 2e-3) & (((station - seen[:, :3]) * seen[:, 3:]).sum(axis=1) > 0)
    assert best.all()


def test_surface_samples_are_area_uniform_and_lie_on_the_mesh() -> None:
    points, normals = sample_surface(box(-HALF, HALF), 50_000, seed=0)
    assert np.abs(box_sdf(points, HALF)).max() < 1e-12
    assert (np.abs(normals[:, 2]) > 0.5).mean() == pytest.approx(0.24 / (0.24 + 0.4 + 0.6), abs=0.01)
    with pytest.raises(InputError, match="without area"):
        sample_surface(TriangleMesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), 10)


@pytest.mark.open3d
def test_the_shipped_room_is_small_and_reproducible() -> None:
    scene, cloud = bundled_room()
    stored, truth = read_point_cloud(DATA / "room.ply"), read_mesh(DATA / "room_gt.ply")
    assert all(path.stat().st_size < 3_000_000 for path in DATA.iterdir())
    assert np.allclose(truth.vertices, scene.mesh.vertices, atol=1e-6)
    assert np.array_equal(truth.faces, scene.mesh.faces)
    assert len(stored) == len(cloud)
    assert np.isclose(stored.points, cloud.points, atol=1e-4).all(axis=1).mean() > 0.999
    assert np.allclose(stored.sensors, cloud.sensors, atol=1e-6)


def test_the_package_does_not_import_heavy_libraries() -> None:
    code = (
        "import sys, fastsdf.synthetic, fastsdf.evaluation; sys.exit('open3d' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=DATA.parent).returncode == 0


def _range_errors(scene: Scene, points: np.ndarray, sensors: np.ndarray | None) -> np.ndarray:
    """Measured minus true range along each ray sensor -> point."""
    assert sensors is not None
    away = points - sensors
    measured = np.linalg.norm(away, axis=1)
    return measured - RayScene(scene.mesh).cast(sensors, away / measured[:, None]).range_m
