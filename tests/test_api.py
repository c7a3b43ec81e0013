# SPDX-License-Identifier: MIT
"""The Python interface: light imports, arrays of any kind and shape, derivatives against truth, save and load."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fastsdf
from fastsdf import FittedField, PointCloud
from fastsdf.config.loading import load_config, override
from fastsdf.errors import CheckpointError, ConfigError, InputError, ScanError
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import GRID_REACH, FieldSpec
from fastsdf.io import read_mesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.prepare.normalize import SceneTransform
from fastsdf.prepare.prepared_scan import PreparedScan, SurfacePoints
from fastsdf.training.checkpoint import resume_session
from tests.helpers.cli_runs import SIZE_M, box_room
from tests.helpers.tiny_room import SETTINGS, coloured_room

CENTER_M, HALF_M, RADIUS_M = np.array([4e5, 5e6, 100.0]), 2.0, 1.2
SPEC = FieldSpec(GridSpec(4, 2, 10, 8, 64), 16, 1, 100.0)


class Ball(nn.Module):
    """The exact distance to a ball in the unit frame, in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = SPEC
        self.radius = nn.Parameter(torch.tensor(RADIUS_M / HALF_M, dtype=torch.float64))

    def forward(self, x: Tensor, active_levels: float) -> Tensor:
        assert active_levels == SPEC.grid.num_levels
        return x.norm(dim=1) - self.radius

    def step_size(self, active_levels: float, step_cells: float) -> float:
        return step_cells * 2 * GRID_REACH * SPEC.grid.cell_size(active_levels)


@pytest.fixture(scope="module")
def ball() -> FittedField:
    """A field that is a ball of radius 1.2 in a scene of half extent 2, in large coordinates."""
    transform = SceneTransform((4e5, 5e6, 100.0), HALF_M, (-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    empty = np.zeros((0, 3))
    surface = SurfacePoints(empty, empty, np.zeros(0), np.zeros(0), np.zeros(0), -np.ones(3), np.ones(3))
    scan = PreparedScan(transform, surface, 0.0, {})
    field: Any = Ball()
    return FittedField(field, scan, load_config())


def outside(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """World points (*shape, 3) 1.4 to 1.9 from the ball's centre."""
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal((*shape, 3))
    return direction / np.linalg.norm(direction, axis=-1, keepdims=True) * rng.uniform(1.4, 1.9, (*shape, 1)) + CENTER_M


def test_import_is_light_and_names_are_found() -> None:
    code = (
        "import sys, fastsdf; assert not {'torch', 'open3d', 'numpy'} & set(sys.modules); "
        "assert set(fastsdf.__all__) <= set(dir(fastsdf)); fastsdf.read_point_cloud; "
        "assert not {'torch', 'open3d'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert all(getattr(fastsdf, name) is not None for name in fastsdf.__all__)
    with pytest.raises(AttributeError, match="No fastsdf attribute fitt"):
        _ = fastsdf.fitt


@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3, 4), (0,), (5, 0)])
def test_values_have_the_shape_of_the_points(ball: FittedField, shape: tuple[int, ...]) -> None:
    points = outside(shape)
    assert ball.sdf(points).shape == ball.laplacian(points).shape == shape
    assert ball.gradient(points).shape == (*shape, 3)
    assert ball.sdf(points).dtype == ball.gradient(points).dtype == np.float64


def test_derivatives_are_those_of_the_ball(ball: FittedField) -> None:
    points = outside((50,))
    away = points - CENTER_M
    length = np.linalg.norm(away, axis=1)
    assert ball.step_m == pytest.approx(HALF_M * 0.5 * 2 * GRID_REACH * SPEC.grid.cell_size(4.0))
    np.testing.assert_allclose(ball.sdf(points), length - RADIUS_M, atol=1e-8)
    np.testing.assert_allclose(ball.gradient(points, 0.01), away / length[:, None], atol=1e-4)
    np.testing.assert_allclose(ball.laplacian(points, 0.01), 2 / length, atol=1e-4)
    coarse, fine = (np.abs(ball.laplacian(points, h) - 2 / length).max() for h in (0.08, 0.04))
    assert coarse / fine == pytest.approx(4, rel=0.1)
    assert not np.array_equal(ball.gradient(points), ball.gradient(points, 0.01))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16])
def test_tensors_come_back_as_tensors_of_their_type(ball: FittedField, kind: torch.dtype) -> None:
    near = replace(ball, scan=replace(ball.scan, transform=replace(ball.transform, center_m=(0.0, 0.0, 0.0))))
    points = torch.as_tensor(outside((2, 5)) - CENTER_M).to(kind).requires_grad_(True)
    values = near.sdf(points)
    assert values.dtype == kind and values.shape == (2, 5) and not values.requires_grad
    exact = near.sdf(points.detach().numpy())
    np.testing.assert_allclose(values.numpy(), exact, atol=10 * torch.finfo(kind).eps)
    assert near.gradient(points).shape == (2, 5, 3) and near.gradient(points).dtype == kind
    assert near.sdf(torch.tensor([[1, 1, 1]])).dtype == torch.float32


def test_chunks_do_not_show(tiny_fit: FittedField, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).uniform(0, SIZE_M, (1000, 3))
    whole, slope = tiny_fit.sdf(points), tiny_fit.gradient(points)
    monkeypatch.setattr("fastsdf.model.CHUNK", 7)
    monkeypatch.setattr("fastsdf.model.STENCIL_CHUNK", 13)
    np.testing.assert_allclose(tiny_fit.sdf(points), whole, atol=1e-5)
    np.testing.assert_allclose(tiny_fit.gradient(points), slope, atol=1e-3)
    np.testing.assert_allclose(tiny_fit.sdf(points[17]), whole[17], atol=1e-5)


@pytest.mark.parametrize("points", [np.zeros(3)[:2], np.zeros((4, 2)), np.zeros((3, 4)), 1.0, "abc", [[1, 2], [3]]])
def test_wrong_points_are_named(ball: FittedField, points: Any) -> None:
    for query in (ball.sdf, ball.gradient, ball.laplacian):
        with pytest.raises(InputError, match=r"shape \(\.\.\., 3\)"):
            query(points)
    with pytest.raises(InputError, match=r"got torch.float32 of \(2,\)"):
        ball.sdf(torch.zeros(2))
    with pytest.raises(InputError, match="the step is 0"):
        ball.gradient(np.zeros((1, 3)), 0.0)


def test_far_outside_the_distance_grows_with_the_way(tiny_fit: FittedField, ball: FittedField) -> None:
    way = np.array([10.0, 20.0, 40.0])
    for field, start in ((tiny_fit, SIZE_M / 2), (ball, CENTER_M)):
        values = field.sdf(start + way[:, None] * [1.0, 0, 0])
        np.testing.assert_allclose(np.diff(np.abs(values)), np.diff(way), rtol=1e-4)
    assert (tiny_fit.sdf([[30.0, 1, 1], [1, -30, 1]]) < 0).all() and ball.sdf(CENTER_M + np.array([30, 0, 0])) > 0


def test_the_fit_is_the_room(tiny_fit: FittedField) -> None:
    middle = SIZE_M / 2 + np.random.default_rng(0).uniform(-0.3, 0.3, (100, 3))
    wall = np.minimum(middle, SIZE_M - middle).min(axis=1)
    np.testing.assert_allclose(tiny_fit.sdf(middle), wall, atol=0.35)
    assert tiny_fit.step == 90 and [entry["step"] for entry in tiny_fit.history] == [30, 60, 90]
    beside = np.random.default_rng(1).uniform([0.15, 1.0, 0.8], [0.15, 2.0, 1.6], (200, 3))  # 15 cm from the wall x = 0
    slope = tiny_fit.gradient(beside)
    assert (slope[:, 0] / np.linalg.norm(slope, axis=1)).mean() > 0.8


def test_save_and_load_keep_everything(tiny_fit: FittedField, tmp_path: Path) -> None:
    tiny_fit.save(tmp_path / "run")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["checkpoint.pt", "config.yaml"]
    loaded = fastsdf.load(tmp_path / "run", device="cpu")
    points = np.random.default_rng(0).uniform(0, SIZE_M, (200, 3))
    np.testing.assert_allclose(loaded.sdf(points), tiny_fit.sdf(points), atol=1e-6)
    assert loaded.config == tiny_fit.config and loaded.history == tiny_fit.history
    assert (loaded.step, loaded.seconds) == (tiny_fit.step, tiny_fit.seconds)
    np.testing.assert_array_equal(loaded.support.colors, tiny_fit.support.colors)
    np.testing.assert_array_equal(loaded.support.normal_weight, tiny_fit.support.normal_weight)
    for name in ("normal_weight", "views"):
        np.testing.assert_array_equal(getattr(loaded.scan.surface, name), getattr(tiny_fit.scan.surface, name))
    one, two = loaded.extract_mesh(0.2), tiny_fit.extract_mesh(0.2)
    np.testing.assert_allclose(one.vertices, two.vertices, atol=1e-5)
    with pytest.raises(CheckpointError, match="already finished"):
        resume_session(RunFolder(tmp_path / "run"))
    with pytest.raises(CheckpointError, match=r"no checkpoint\.pt"):
        fastsdf.load(tmp_path)


def test_older_runs_still_load(tiny_fit: FittedField, tmp_path: Path) -> None:
    tiny_fit.save(tmp_path)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for name in ("colors", "trust", "views"):
        del content[name]
    torch.save(content, tmp_path / "checkpoint.pt")
    loaded = fastsdf.load(tmp_path, "cpu")
    assert loaded.support.colors is None and loaded.extract_mesh(0.2).colors is None
    assert (loaded.scan.surface.normal_weight == 1).all() and loaded.scan.surface.views is None


def test_arrays_and_clouds_give_the_same_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fastsdf.training.disc_targets.POOL_RANGE", (4000, 8000))
    short = {**SETTINGS, "training__steps": 2, "training__warm_start_steps": 2}
    cloud = coloured_room()
    assert cloud.sensors is not None and cloud.colors is not None
    reports = []
    one = fastsdf.fit(cloud, "smoke", progress=reports.append, **short)
    points = torch.as_tensor(cloud.points)
    config = override(load_config("smoke"), **short)
    two = fastsdf.fit(points, config, sensors=(SIZE_M / 2).tolist(), colors=cloud.colors / 255)
    np.testing.assert_allclose(two.sdf(SIZE_M / 2), one.sdf(SIZE_M / 2), atol=1e-4)
    np.testing.assert_array_equal(two.support.colors, one.support.colors)
    assert [r.step for r in reports] == [2] and two.config == one.config
    assert two.scan.facts["inside_outside_evidence"] == "sensor positions"
    (tmp_path / "mine.yaml").write_text("training: {steps: 3}\nscene: object")
    three = fastsdf.fit(cloud.points, tmp_path / "mine.yaml", normals=SIZE_M / 2 - cloud.points, **short)
    assert three.step == 2 and three.config.scene == "object"
    assert three.scan.facts["inside_outside_evidence"] == "normals of the file"
    np.testing.assert_allclose(np.linalg.norm(three.scan.surface.normals, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.zeros((200, 2)),), {}, InputError, r"points must have shape \(n, 3\), got \(200, 2\)"),
        ((["a"],), {}, InputError, "points must be an array of real numbers, got <U1"),
        ((np.zeros((200, 3), complex),), {}, InputError, "points must be an array"),
        ((box_room(200),), {"normals": np.ones((3, 3))}, InputError, r"normals must have shape \(200, 3\)"),
        ((box_room(200),), {"sensors": np.ones((2, 3))}, InputError, r"sensors must have shape \(200, 3\)"),
        ((box_room(200),), {"colors": np.ones((200, 4))}, InputError, r"colors must have shape \(200, 3\)"),
        ((np.random.default_rng(0).random((50, 3)),), {}, ScanError, "50 usable points"),
        ((np.full((200, 3), np.nan),), {}, ScanError, "0 usable points"),
        ((box_room(200), "smokey"), {}, ConfigError, "no preset named 'smokey'"),
        ((box_room(200),), {"training__stepz": 3}, ConfigError, "did you mean 'training.steps'"),
        ((box_room(200),), {"training__steps": -3}, ConfigError, "training.steps = -3"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastsdf.fit(*arguments, **options)


def test_extraction_settings_are_checked(tiny_fit: FittedField) -> None:
    with pytest.raises(ConfigError, match=r"mesh\.voxel_size_m = -1"):
        tiny_fit.extract_mesh(-1)
    with pytest.raises(ConfigError, match=r"did you mean 'mesh\.gap_spacings'"):
        tiny_fit.extract_mesh(gap_spacing=0)
    assert len(tiny_fit.extract_mesh(0.3).faces) < len(tiny_fit.extract_mesh(0.15).faces)


def test_a_saved_fit_meshes_on_the_command_line(tiny_fit: FittedField, tmp_path: Path) -> None:
    from fastsdf.commands.mesh import MeshFinish, mesh_extraction, mesh_run

    tiny_fit.save(tmp_path / "run")
    mesh_run(tmp_path / "run", tmp_path / "m.ply", "cpu", mesh_extraction(0.2), MeshFinish())
    mesh = read_mesh(tmp_path / "m.ply")
    np.testing.assert_allclose(mesh.vertices, tiny_fit.extract_mesh(0.2).vertices, atol=1e-5)
    assert isinstance(mesh, fastsdf.TriangleMesh) and not isinstance(mesh, PointCloud)
