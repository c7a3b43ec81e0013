# SPDX-License-Identifier: MIT
"""Metrics on cases whose result is known in closed form."""

import json
from pathlib import Path

import numpy as np
import pytest

from fastsdf.commands.evaluate import evaluate_mesh
from fastsdf.errors import InputError
from fastsdf.evaluation import PROTOCOLS, PointLabels, evaluate, protocol_named, rows
from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.evaluation.topology import topology
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.io import write_mesh, write_point_cloud
from fastsdf.synthetic.scanner import sample_surface
from fastsdf.synthetic.solids import box, merged, moved, sphere

SAMPLES = 50_000
UTM = np.array([512_345.25, 5_401_234.5, 310.125])
BALL = sphere(1.0, segments=96)


def _square(side: float, height: float = 0.0) -> TriangleMesh:
    corners = side * (np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) - (0.5, 0.5, 0.0)) + (0, 0, height)
    return TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))


@pytest.mark.open3d
def test_concentric_spheres_are_their_gap_apart() -> None:
    result = evaluate(sphere(1.03, segments=256), sphere(1.0, segments=256), samples=SAMPLES)
    assert result.accuracy == pytest.approx(0.03, rel=0.01)
    assert result.completeness == pytest.approx(0.03, rel=0.01)
    assert result.chamfer_l1 == pytest.approx((result.accuracy + result.completeness) / 2)
    assert result.chamfer_l2_squared == pytest.approx(2 * 0.03**2, rel=0.02)
    assert result.hausdorff == pytest.approx(0.03, rel=0.02)
    assert result.hausdorff95 == pytest.approx(0.03, rel=0.02)
    assert result.f_score == (0.0, 0.0, 1.0)
    assert result.normal_consistency == pytest.approx(1.0, abs=2e-3)
    assert result.hallucinated_share == 0.0
    assert result.area == pytest.approx(4 * np.pi * 1.03**2, rel=1e-3)


@pytest.mark.open3d
def test_a_raised_square_is_its_height_away() -> None:
    result = evaluate(_square(2.0, 0.02), _square(2.0), samples=SAMPLES)
    assert result.accuracy == pytest.approx(0.02, rel=1e-5)
    assert result.completeness_median == pytest.approx(0.02, rel=1e-5)
    assert result.f_score == (0.0, 1.0, 1.0)


@pytest.mark.open3d
def test_a_mesh_equals_itself() -> None:
    result = evaluate(BALL, BALL, samples=SAMPLES)
    assert result.chamfer_l1 < 1e-6
    assert result.f_score == (1.0, 1.0, 1.0)
    assert result.normal_consistency == pytest.approx(1.0, abs=1e-4)
    assert result.normal_consistency_signed == pytest.approx(1.0, abs=1e-4)
    assert result.watertight
    assert result.reference_kind == "mesh"


@pytest.mark.open3d
def test_flipped_faces_only_change_the_signed_consistency() -> None:
    flipped = TriangleMesh(BALL.vertices, BALL.faces[:, ::-1])
    result = evaluate(flipped, BALL, samples=SAMPLES)
    assert result.normal_consistency_signed == pytest.approx(-1.0, abs=1e-4)
    assert result.normal_consistency == pytest.approx(1.0, abs=1e-4)


@pytest.mark.open3d
def test_a_far_square_counts_as_hallucinated_area() -> None:
    result = evaluate(merged([_square(2.0), _square(1.0, 3.0)]), _square(2.0), samples=SAMPLES)
    assert result.hallucinated_share == pytest.approx(0.2, abs=0.01)
    assert result.hallucinated_area == pytest.approx(1.0, abs=0.05)
    assert result.accuracy == pytest.approx(0.2 * 3.0, rel=0.05)
    assert result.recall == (1.0, 1.0, 1.0)
    assert result.hausdorff == pytest.approx(3.0, rel=1e-5)
    assert result.components == 2


@pytest.mark.open3d
def test_half_a_surface_has_half_the_recall_unless_only_that_half_was_observed() -> None:
    whole, half = _square(2.0), TriangleMesh(_square(2.0).vertices * (0.5, 1.0, 1.0) - (0.5, 0, 0), _square(2.0).faces)
    assert evaluate(half, whole, samples=SAMPLES).recall[0] == pytest.approx(0.505, abs=0.01)
    seen = PointCloud(*sample_surface(half, 2000, seed=0))
    result = evaluate(half, whole, samples=SAMPLES, observed=seen)
    assert result.recall[0] == 1.0
    assert (result.recall_kind, result.recall_samples) == ("observed", 2000)


@pytest.mark.open3d
def test_large_coordinates_give_the_same_numbers() -> None:
    mesh, reference = sphere(1.002, segments=64), sphere(1.0, segments=64)
    near = evaluate(mesh, reference, samples=SAMPLES).as_dict()
    far = evaluate(moved(mesh, UTM), moved(reference, UTM), samples=SAMPLES).as_dict()
    for name in ("accuracy", "completeness", "hausdorff", "normal_consistency", "area", "components", "watertight"):
        assert far[name] == pytest.approx(near[name], abs=2e-6), name


@pytest.mark.open3d
def test_reference_points_are_used_by_nearest_point() -> None:
    points, normals = sample_surface(BALL, 20_000, seed=1)
    bare = evaluate(sphere(1.2, segments=96), PointCloud(points), samples=5000)
    assert bare.reference_kind == "points"
    assert bare.normal_consistency is None
    assert bare.accuracy == pytest.approx(0.2, rel=0.03)
    assert bare.completeness == pytest.approx(0.2, rel=0.01)
    full = evaluate(BALL, PointCloud(moved(BALL, UTM).vertices - UTM, normals=BALL.vertices), samples=5000)
    assert full.reference_kind == "points with normals"
    assert full.normal_consistency_signed == pytest.approx(1.0, abs=0.01)
    both = evaluate(BALL, PointCloud(points, normals=normals), samples=5000)
    assert both.normal_consistency == pytest.approx(1.0, abs=0.01)


def test_topology_welds_equal_vertices_and_counts_pieces_and_edges() -> None:
    cube = box((0, 0, 0), (1, 1, 1))
    torn = TriangleMesh(cube.vertices[cube.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3))
    assert topology(torn) == (1, True, 0, 0)
    assert topology(merged([torn, moved(cube, (3, 0, 0)), moved(cube, (6, 0, 0))])).components == 3
    assert topology(TriangleMesh(cube.vertices, cube.faces[1:])) == (1, False, 3, 0)
    fin = TriangleMesh(np.vstack([cube.vertices, [[2, 2, 2]]]), np.vstack([cube.faces, [[0, 1, 8]]]))
    assert topology(fin) == (1, False, 2, 1)
    assert topology(TriangleMesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))) == (0, False, 0, 0)


@pytest.mark.open3d
def test_closest_point_names_the_face() -> None:
    distance, face = mesh_distance(_square(2.0)).distance(np.array([[0.5, -0.5, 0.25], [-0.5, 0.5, -1.0]]))
    assert distance == pytest.approx([0.25, 1.0])
    assert face.tolist() == [0, 1]


@pytest.mark.open3d
def test_results_repeat_for_a_seed_and_go_to_json_and_rows() -> None:
    first, again = (evaluate(BALL, sphere(1.01), samples=2000, seed=7) for _ in range(2))
    assert first == again
    assert json.loads(json.dumps(first.as_dict()))["thresholds"] == [0.01, 0.025, 0.05]
    table = {row.name: row for row in rows(first)}
    assert table["accuracy"].value == pytest.approx(1e3 * first.accuracy)
    assert (table["F at 10 mm"].better, table["accuracy"].better, table["faces"].better) == ("up", "down", "")


@pytest.mark.open3d
def test_thresholds_and_protocol_can_be_chosen() -> None:
    result = evaluate(_square(2.0, 0.02), _square(2.0), samples=1000, thresholds=(0.019, 0.021))
    assert result.f_score == (0.0, 1.0)
    assert PROTOCOLS["room"].hallucination_m == 0.05
    with pytest.raises(InputError, match=r"unknown evaluation protocol 'rom', known are: room"):
        protocol_named("rom")


@pytest.mark.parametrize(
    ("mesh", "options", "message"),
    [
        (TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)), {}, "no faces"),
        (TriangleMesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), {}, "no area"),
        (TriangleMesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]])), {}, "not finite"),
        (BALL, {"samples": 0}, "must be positive"),
        (BALL, {"thresholds": (0.0,)}, "must be positive"),
        (BALL, {"observed": PointCloud(np.zeros((0, 3)))}, "no points"),
    ],
)
def test_unusable_input_is_refused(mesh: TriangleMesh, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(mesh, BALL, **options)


@pytest.mark.open3d
def test_labelled_points_give_thin_recall_and_flatness() -> None:
    plate = merged([_square(2.0, 0.004), _square(1.0, 0.3)])
    points = np.array([[0.5, 0.5, 0.0], [-0.5, 0.2, 0.0], [0.1, 0.3, 0.3], [0.1, 0.1, 0.32], [0.2, 0.1, 0.9]])
    tilted = [np.sin(np.radians(3.0)), 0.0, np.cos(np.radians(3.0))]
    seen = PointCloud(points, normals=np.array([[0, 0, -1.0], tilted, [0, 0, 1.0], [0, 0, 1.0], [0, 0, 1.0]]))
    labels = PointLabels(thin=np.array([0, 0, 1, 1, 0], bool), planar=np.array([1, 1, 0, 0, 1], bool))
    labelled = evaluate(plate, _square(2.0), samples=1000, observed=seen, labels=labels).labelled
    assert labelled.thin_recall == (0.5, 1.0, 1.0)
    assert labelled.flat_share == pytest.approx(2 / 3)
    assert labelled.flat_angle_deg == pytest.approx(1.5, abs=0.05)
    assert labelled.flat_rms == pytest.approx(0.004, abs=1e-6)


@pytest.mark.open3d
def test_labels_show_only_what_is_known_and_must_fit() -> None:
    seen = PointCloud(*sample_surface(BALL, 500, seed=0))
    plain = evaluate(BALL, BALL, samples=1000, observed=seen)
    assert plain.as_dict()["thin_recall"] is None and "labelled" not in plain.as_dict()
    assert not [row for row in rows(plain) if "thin" in row.name or "planar" in row.name]
    thin = evaluate(BALL, BALL, samples=1000, observed=seen, labels=PointLabels(thin=np.ones(500, bool)))
    assert thin.as_dict()["thin_recall"] == [1.0, 1.0, 1.0]
    assert "recall at 10 mm on thin solids" in [row.name for row in rows(thin)]
    with pytest.raises(InputError, match="400 labels 'planar' for 500"):
        evaluate(BALL, BALL, samples=1000, observed=seen, labels=PointLabels(planar=np.ones(400, bool)))
    with pytest.raises(InputError, match="labels were given without observed points"):
        evaluate(BALL, BALL, samples=1000, labels=PointLabels(planar=np.ones(400, bool)))


@pytest.mark.open3d
def test_the_eval_command_reads_labels_of_a_ply(tmp_path: Path) -> None:
    points, normals = sample_surface(BALL, 500, seed=0)
    write_mesh(BALL, tmp_path / "ball.ply")
    seen = tmp_path / "seen.ply"
    write_point_cloud(PointCloud(points, normals), seen, {"thin": (points[:, 2] > 0).astype(np.uint8)})
    evaluate_mesh(tmp_path / "ball.ply", tmp_path / "ball.ply", seen, "room", tmp_path / "out.json", 0)
    scores = json.loads((tmp_path / "out.json").read_text())
    assert scores["thin_recall"] == [1.0, 1.0, 1.0] and scores["flat_rms"] is None
