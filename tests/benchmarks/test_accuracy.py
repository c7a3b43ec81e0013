# SPDX-License-Identifier: MIT
"""The accuracy benchmark keeps or rejects existing cases, limits the time of methods, and averages over seeds."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.accuracy import scenes
from benchmarks.peers import peers
from benchmarks.shared.processes import Finished, run_fresh
from fastsdf.synthetic import CaseSettings
from fastsdf.system.open3d_library import load_open3d

SETTINGS = CaseSettings("staircase", 0, 4000, outliers=0.0, truth_samples=2000)


def test_a_process_is_stopped_at_its_limit(tmp_path: Path) -> None:
    done = run_fresh([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "out.log", limit_s=0.5)
    assert done.code == -9 and done.wall_s < 20
    assert run_fresh([sys.executable, "-c", "pass"], tmp_path / "out.log", limit_s=60.0).code == 0


@pytest.mark.open3d
def test_a_method_runs_once_and_is_scored(tmp_path: Path) -> None:
    case = tmp_path / "staircase-0"
    scenes.prepare_case(case, SETTINGS)
    scenes.run_method(case, "sensors", "ball-pivoting", 0, (), 120.0)
    (row,) = scenes.all_rows(tmp_path)
    assert (row["scene"], row["input"], row["method"], row["points"]) == ("staircase", "sensors", "ball-pivoting", 4000)
    assert row["exit"] == 0 and 0 < row["CD mm"] < 200 and set(scenes.METRICS) <= set(row)
    (case / "sensors" / "ball-pivoting.ply").unlink()
    scenes.run_method(case, "sensors", "ball-pivoting", 0, (), 120.0)
    assert scenes.all_rows(tmp_path) == [row]
    scenes.run_method(case, "points", "ball-pivoting", 0, (), 0.01)
    assert [row["exit"] for row in scenes.all_rows(tmp_path)] == [-9, 0]
    scenes.write_tables(tmp_path)
    text = (tmp_path / "accuracy.md").read_text()
    assert "**staircase, sensors** (4,000 points)" in text and "over time" in text
    assert "staircase,points,ball-pivoting,0,4000,-9" in (tmp_path / "accuracy.csv").read_text()


@pytest.mark.open3d
def test_a_case_with_other_settings_is_rejected(tmp_path: Path) -> None:
    scenes.prepare_case(tmp_path / "staircase-0", SETTINGS)
    before = (tmp_path / "staircase-0" / "scan.ply").stat().st_mtime_ns
    scenes.prepare_case(tmp_path / "staircase-0", SETTINGS)
    assert (tmp_path / "staircase-0" / "scan.ply").stat().st_mtime_ns == before
    with pytest.raises(typer.BadParameter, match="choose another folder"):
        scenes.prepare_case(tmp_path / "staircase-0", CaseSettings("staircase", 0, 5000))


def test_unknown_names_are_rejected(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(scenes.main)
    done = CliRunner().invoke(app, ["-o", str(tmp_path), "--scene", "cellar"])
    assert done.exit_code == 2 and "cellar" in done.output


def test_tables_show_the_mean_over_seeds_and_the_failures(tmp_path: Path) -> None:
    good = {"scene": "room", "input": "points", "method": "apss", "points": 10, "exit": 0, "s": 5.0, "GiB": 1.0}
    scores = dict.fromkeys(scenes.METRICS, 0.5)
    rows = [{**good, **scores, "seed": 0}, {**good, **scores, "CD mm": 1.5, "seed": 1}]
    rows.append({**good, "method": "fastsdf", "seed": 0, "exit": 1})
    rows.append({**good, "method": "rimls", "seed": 0, "CD mm": 3.0})
    folder = tmp_path / "room-0" / "points"
    folder.mkdir(parents=True)
    (folder / "all.rows.json").write_text(json.dumps(rows))
    found = scenes.all_rows(tmp_path)
    assert [row["method"] for row in found] == ["fastsdf", "apss", "apss", "rimls"]
    (table,) = scenes.tables(found)
    assert "| apss | 1 ± 0.5 |" in table and "| fastsdf | failed |" in table
    assert "| rimls | 3 | – |" in table


@pytest.mark.open3d
def test_a_mesh_that_cannot_be_scored_has_no_scores(tmp_path: Path) -> None:
    scenes.prepare_case(tmp_path / "staircase-0", SETTINGS)
    empty = tmp_path / "empty.ply"
    load_open3d().io.write_triangle_mesh(str(empty), load_open3d().geometry.TriangleMesh())
    assert scenes.scores(tmp_path / "staircase-0", empty, Finished(0, 1.0, 1.0, 1.0, "")) == {}


def test_peers_follow_the_spacing() -> None:
    assert peers.depth_for(np.array([6.0, 5.0, 3.0]), 0.01) == 10
    assert peers.depth_for(np.array([30.0, 2.0, 3.0]), 0.01) == 11
    assert peers.depth_for(np.array([1.0, 1.0, 1.0]), 0.1) == 8
    assert peers.resolution_for(np.array([2.0, 1.0, 1.0]), 0.01) == 200
    limited = peers.resolution_for(np.array([20.0, 20.0, 20.0]), 0.01)
    assert limited in (499, 500)


@pytest.mark.open3d
def test_cropping_keeps_the_surface_near_points() -> None:
    o3d = load_open3d()
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5], [np.nan, 0, 0]], float)
    faces = o3d.utility.Vector3iVector(np.array([[0, 1, 2], [1, 2, 3], [0, 1, 4]]))
    mesh = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(corners), faces)
    points = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(corners[:3] + 0.1))
    assert len(peers.cropped(mesh, points, 0.2).triangles) == 1
    assert len(mesh.triangles) == 3
