# SPDX-License-Identifier: MIT
"""Corridor, staircase and apartment against their dimensions; flags of the truth; benchmark cases and their files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastsdf.errors import InputError
from fastsdf.evaluation.topology import topology
from fastsdf.io import read_mesh, read_point_cloud
from fastsdf.io.formats.ply import read_ply_flags
from fastsdf.synthetic import SCENES, Case, CaseSettings, Scene, apartment, corridor, make_case, staircase, write_case
from fastsdf.synthetic.corridor import HEIGHT_M, NICHE_M, WIDTH_M
from fastsdf.synthetic.gaps import random_gaps
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.solids import box, merged, rod, volume
from fastsdf.synthetic.staircase import RISERS, SLAB_M, TREAD_M, dimensions
from fastsdf.synthetic.truth import planar_points, thin_points, visible_truth
from tests.helpers.scene_checks import check_stations

pytestmark = pytest.mark.open3d
SEED = 2


@pytest.fixture(scope="module")
def stairwell() -> Scene:
    return staircase(SEED)


@pytest.fixture(scope="module")
def passage() -> Scene:
    return corridor(SEED, length=12.0)


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case(CaseSettings("staircase", SEED, 20_000, missing=3, outliers=0.0, truth_samples=20_000))


def _free_length(scene: Scene, origins: np.ndarray, direction: tuple[float, float, float]) -> np.ndarray:
    """Free length (n,) from the origins (n, 3) along one direction."""
    return RayScene(scene.mesh).cast(origins, np.tile(np.array(direction), (len(origins), 1))).range_m


def test_every_step_is_one_riser_high(stairwell: Scene) -> None:
    stairs, size = dimensions(SEED), dimensions(SEED).size
    start = (size[1] - stairs.run) / 2
    middles = start + (np.arange(RISERS - 1) + 0.5) * stairs.going
    count = np.arange(1, RISERS)
    up = np.stack([np.full(RISERS - 1, 0.4), middles, count * stairs.riser + 0.05], axis=1)
    assert _free_length(stairwell, up, (0, 0, -1)) == pytest.approx(0.05, abs=1e-5)
    top = stairs.half_m + count * stairs.riser
    back = np.stack([np.full(RISERS - 1, size[0] - 0.4), middles[::-1], top + 0.05], axis=1)
    assert _free_length(stairwell, back, (0, 0, -1)) == pytest.approx(0.05, abs=1e-5)
    below = back - (0, 0, 0.2)
    assert _free_length(stairwell, below, (0, 0, 1)) == pytest.approx(0.15 - TREAD_M, abs=1e-5)
    landing = np.array([[1.25, size[1] - 0.3, stairs.half_m + 0.5], [1.25, size[1] - 0.3, 0.3]])
    assert _free_length(stairwell, landing[:1], (0, 0, -1)) == pytest.approx(0.5, abs=1e-5)
    assert _free_length(stairwell, landing[1:], (0, 0, 1)) == pytest.approx(stairs.half_m - SLAB_M - 0.3, abs=1e-5)


def test_the_corridor_has_its_dimensions_and_niches(passage: Scene) -> None:
    x = np.linspace(0.2, 11.8, 400)
    middle = np.stack([x, np.full(400, 1.0), np.full(400, 1.4)], axis=1)
    width = _free_length(passage, middle, (0, 1, 0)) + _free_length(passage, middle, (0, -1, 0))
    assert (np.abs(width - WIDTH_M) < 1e-5).mean() > 0.2
    assert (np.abs(width - WIDTH_M - NICHE_M) < 1e-5).sum() > 10
    height = _free_length(passage, middle, (0, 0, 1)) + 1.4
    assert np.median(height) == pytest.approx(HEIGHT_M, abs=1e-5)
    clear = np.array([[6.0, 1.0, 2.3]])
    assert (_free_length(passage, clear, (1, 0, 0)) + _free_length(passage, clear, (-1, 0, 0)))[0] == pytest.approx(
        12.0, abs=1e-4
    )
    assert len(corridor(SEED, stations=1).stations) == 5
    with pytest.raises(InputError, match="too short"):
        corridor(SEED, length=3.0)


def test_inner_walls_of_an_apartment_are_ten_centimetres_thick_and_seen_from_both_sides() -> None:
    flat = apartment(SEED, columns=2, rows=1, stations=2)
    assert len(flat.stations) == 4
    left, right = flat.stations[:2].max(axis=0)[0], flat.stations[2:].min(axis=0)[0]
    y = np.linspace(0.3, 3.0, 60)
    from_left, from_right = (np.stack([np.full(60, x), y, np.full(60, 2.45)], axis=1) for x in (left, right))
    near, far = left + _free_length(flat, from_left, (1, 0, 0)), right - _free_length(flat, from_right, (-1, 0, 0))
    assert np.median(far - near) == pytest.approx(0.1, abs=1e-5)
    truth = visible_truth(flat, 20_000)
    for side in (near, far):
        on_wall = (np.abs(truth.points[:, 0] - np.median(side)) < 1e-5) & (np.abs(truth.normals[:, 0]) > 0.99)
        assert on_wall.sum() > 200
        assert not truth.thin[on_wall].any()
        assert truth.planar[on_wall].mean() > 0.4


@pytest.mark.parametrize("name", ["stairwell", "passage"])
def test_scenes_are_closed_solids_that_hold_every_ray(name: str, request: pytest.FixtureRequest) -> None:
    scene: Scene = request.getfixturevalue(name)
    assert topology(scene.mesh).boundary_edges == 0
    assert volume(scene.mesh) > 0
    check_stations(scene)


def test_truth_lies_on_the_solids_and_faces_a_station(case: Case) -> None:
    truth, scene = case.truth, case.scene
    rays = RayScene(scene.mesh)
    off = rays.distance(truth.points)
    assert np.percentile(off, 98) < 1e-5
    assert off.max() < 5e-3  # Embree's float32 distances to long slivers
    assert np.linalg.norm(truth.normals, axis=1) == pytest.approx(1.0)
    seen = np.zeros(len(truth.points), bool)
    for station in scene.stations:
        away = truth.points - station
        length = np.linalg.norm(away, axis=1)
        reach = rays.cast(station, away / length[:, None]).range_m
        seen |= (reach > length - 2e-3) & ((away * truth.normals).sum(axis=1) < 0)
    assert seen.all()


def test_clean_scans_stop_at_the_first_surface() -> None:
    clean = CaseSettings("staircase", SEED, 20_000, 0.0, outliers=0.0, mixed_pixels=False, truth_samples=100)
    made = make_case(clean)
    assert made.cloud.sensors is not None
    away = made.cloud.points - made.cloud.sensors
    length = np.linalg.norm(away, axis=1)
    reach = RayScene(made.scene.mesh).cast(made.cloud.sensors, away / length[:, None]).range_m
    assert np.percentile(np.abs(reach - length), 99.5) < 1e-4
    noisy = make_case(replace(clean, range_noise_m=0.01))
    off = RayScene(noisy.scene.mesh).distance(noisy.cloud.points)
    assert 0.003 < off.mean() < 0.01


def test_treads_are_thin_and_landings_are_not(case: Case) -> None:
    stairs, size = dimensions(SEED), dimensions(SEED).size
    points, up = case.truth.points, case.truth.normals[:, 2] > 0.99
    tread = up & (np.abs(points[:, 2] - stairs.half_m - 3 * stairs.riser) < 1e-4) & (points[:, 0] < size[0] - 0.05)
    tread &= points[:, 0] > size[0] - 1.05
    landing = up & (np.abs(points[:, 2] - stairs.half_m) < 1e-4) & (points[:, 1] > size[1] - 0.9)
    assert tread.sum() > 20 and case.truth.thin[tread].all()
    assert landing.sum() > 200 and not case.truth.thin[landing].any()
    inside = landing & (np.abs(points[:, 0] - size[0] / 2) < 0.6) & (points[:, 1] < size[1] - 0.15)
    assert case.truth.planar[inside].all()


def test_planar_means_no_edge_within_ten_centimetres_and_nothing_in_front() -> None:
    floor, post = box((-1, -1, -0.2), (1, 1, 0)), rod((0.5, 0, 0), (0.5, 0, 0.5), 0.02)
    rays, up = RayScene(merged([floor, post])), np.array([0.0, 0.0, 1.0])
    points = np.array([[0, 0, 0], [0.88, 0, 0], [0.91, 0, 0], [0.5, 0.1, 0], [0.5, 0.14, 0], [-0.91, -0.91, 0]])
    assert planar_points(rays, points, np.tile(up, (6, 1))).tolist() == [True, True, False, False, True, False]
    sides = np.array([[0.52, 0.0, 0.2], [0.0, 0.0, 0.0], [1.0, 0.0, -0.1]])
    normals = np.array([[1.0, 0.0, 0.0], up, [1.0, 0.0, 0.0]])
    assert thin_points(rays, sides, normals).tolist() == [True, False, False]
    assert not planar_points(rays, sides[:1], normals[:1]).any()


def test_cases_repeat_for_a_seed_and_differ_between_seeds(case: Case) -> None:
    again = make_case(case.settings)
    assert np.array_equal(case.scene.mesh.vertices, again.scene.mesh.vertices)
    assert np.array_equal(case.cloud.points, again.cloud.points)
    assert all(np.array_equal(a, b) for a, b in zip(case.truth, again.truth, strict=True))
    other = make_case(replace(case.settings, seed=SEED + 1))
    assert not np.array_equal(case.scene.mesh.vertices[:, 2], other.scene.mesh.vertices[:, 2])
    assert dimensions(SEED) != dimensions(SEED + 1)


def test_missing_regions_have_no_points_and_a_truth_of_their_own(case: Case) -> None:
    gaps = random_gaps(case.scene, 3, SEED)
    whole = make_case(replace(case.settings, missing=0))
    assert len(whole.cloud) == 20_000 and not len(whole.missed.points)
    assert not gaps.contains(case.cloud.points).any() and gaps.contains(whole.cloud.points).sum() == 20_000 - len(
        case.cloud
    )
    assert gaps.contains(case.missed.points).all() and not gaps.contains(case.truth.points).any()
    assert len(case.missed.points) + len(case.truth.points) == 20_000
    assert len(case.missed.points) > 20


def test_a_written_case_reads_back(case: Case, tmp_path: Path) -> None:
    written = write_case(case, tmp_path)
    assert all(path.is_file() for path in written)
    plain, full = read_point_cloud(tmp_path / "scan.ply"), read_point_cloud(tmp_path / "scan_sensors.ply")
    assert plain.sensors is None and full.sensors is not None
    assert np.array_equal(plain.points, full.points)
    assert {tuple(s) for s in np.round(full.sensors, 3)} == {tuple(s) for s in case.scene.stations}
    assert len(read_mesh(tmp_path / "truth.ply").faces) == len(case.scene.mesh.faces)
    flags = read_ply_flags(tmp_path / "visible.ply", ("thin", "planar", "other"))
    assert set(flags) == {"thin", "planar"}
    assert np.array_equal(flags["thin"], case.truth.thin) and np.array_equal(flags["planar"], case.truth.planar)
    facts = json.loads((tmp_path / "case.json").read_text())
    assert facts["seed"] == SEED and facts["kept_points"] == len(case.cloud)


def test_every_scene_can_be_named_and_bad_settings_are_refused() -> None:
    assert set(SCENES) == {"room", "apartment", "corridor", "staircase"}
    with pytest.raises(InputError, match="unknown scene 'cellar'; give one of room"):
        make_case(CaseSettings("cellar"))
    for wrong in ({"missing": -1}, {"stations": 0}, {"truth_samples": 0}):
        with pytest.raises(InputError, match="out of range"):
            make_case(replace(CaseSettings("staircase"), **wrong))
