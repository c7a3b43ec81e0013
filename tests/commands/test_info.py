# SPDX-License-Identifier: MIT
"""``fastsdf info``, and fits of several scans and of posed clouds, through the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fastsdf.budget.plan import Limits
from fastsdf.commands.info import print_info
from fastsdf.commands.inspection import inspect_scan, inspection_rows
from fastsdf.config.loading import load_config
from fastsdf.config.models import FitConfig
from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud
from fastsdf.io import read_mesh
from fastsdf.prepare.measure import measure_scan
from fastsdf.prepare.pipeline import orient_measured, prepare_scan
from fastsdf.training.session import start_fit
from tests.helpers.cli_runs import SIZE_M, box_room, run, write_scan


def inspected(cloud: PointCloud, config: FitConfig) -> dict[str, Any]:
    """What ``fastsdf info`` finds of a scan."""
    measured = measure_scan(cloud)
    return inspect_scan(cloud, measured, orient_measured(measured, config), config)


def test_the_metrics_are_those_of_the_room() -> None:
    facts = inspected(box_room(), FitConfig(device="cpu"))
    area_m2 = 2 * (SIZE_M[0] * SIZE_M[1] + SIZE_M[0] * SIZE_M[2] + SIZE_M[1] * SIZE_M[2])
    assert facts["points"] == 6000 and 5900 < facts["points_in_box"] <= 6000
    assert abs(facts["area_m2"] / area_m2 - 1) < 0.15 and abs(facts["density_per_m2"] / (6000 / area_m2) - 1) < 0.15
    np.testing.assert_allclose(facts["bounds_m"], [np.zeros(3), SIZE_M], atol=0.02)
    low, middle, high = facts["spacing_quantiles_m"]
    assert low < middle < high and abs(facts["spacing_m"] / middle - 1) < 0.01
    assert facts["sensor_positions"] == 1 and facts["inside_outside_evidence"] == "sensor positions"
    assert not facts["normals"] and not facts["colors"] and facts["views"] == 0
    assert {len(row) for row in inspection_rows(facts)} == {3}
    json.dumps(facts)


def test_the_choices_are_those_of_a_fit() -> None:
    config = FitConfig.model_validate({"device": "cpu", "training": {"warm_start_steps": 0}})
    chosen = inspected(box_room(), config)["fit"]
    session = start_fit(prepare_scan(box_room(), config), config)
    assert chosen["backend"] == session.state.field.backend.info.name and chosen["device"] == session.device
    assert chosen["voxel_size_m"] == session.config.field.voxel_size_m
    assert chosen["num_levels"] == session.config.field.num_levels
    assert chosen["table_entries_per_level"] == 1 << (session.config.field.log2_table_size or 0)
    assert chosen["grid_parameters"] == session.state.field.table.numel()
    assert chosen["steps"] == session.config.training.steps


@pytest.mark.parametrize(("scene", "evidence"), [("room", "free paths"), ("object", "air around the object")])
def test_evidence_without_sensors_and_normals(scene: str, evidence: str) -> None:
    bare = PointCloud(box_room().points)
    facts = inspected(bare, FitConfig.model_validate({"scene": scene, "device": "cpu"}))
    assert facts["inside_outside_evidence"] == evidence
    config = FitConfig.model_validate({"prepare": {"orientation": "sensors"}})
    with pytest.raises(InputError, match="the scan has no sensors"):
        inspected(bare, config)


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room())
    done = run("info", scan, "--json", tmp_path / "info.json", "--set", "training.steps=77", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("6,000", "sensor positions", "fit: backend", "77"))
    facts = json.loads((tmp_path / "info.json").read_text())
    assert facts["scans"] == [str(scan)] and facts["fit"]["steps"] == 77
    assert "no scan given" in run("info").stderr


def test_fit_of_several_scans(tmp_path: Path) -> None:
    room = box_room()
    for name, rows in (("a.ply", slice(0, 3000)), ("b.ply", slice(3000, None))):
        write_scan(tmp_path, room.select(np.arange(6000)[rows]), name)
    arguments = ("--preset", "smoke", "--steps", 5, "--set", "training.warm_start_steps=30", "--device", "cpu")
    done = run("fit", tmp_path / "a.ply", tmp_path / "b.ply", "-o", tmp_path / "run", *arguments)
    assert done.returncode == 0, done.stderr
    assert "merged 2 scans" in " ".join(done.stdout.split())
    report = json.loads((tmp_path / "run" / "run.json").read_text())
    assert report["scan"] == [str(tmp_path / "a.ply"), str(tmp_path / "b.ply")]
    assert (
        report["scan_facts"]["points"] == 6000 and report["scan_facts"]["inside_outside_evidence"] == "sensor positions"
    )
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["training"]["steps"] == 5
    assert len(read_mesh(tmp_path / "run" / "mesh.ply").faces)
    assert run("info", tmp_path / "[ab].ply", "--json", tmp_path / "info.json").returncode == 0
    facts = json.loads((tmp_path / "info.json").read_text())
    assert facts["scans"] == report["scan"] and facts["area_m2"] == report["scan_facts"]["area_m2"]


def test_options_of_reading_reach_the_reader(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room(500))
    done = run("fit", scan, "--poses", tmp_path / "no.txt", "-o", tmp_path / "run")
    assert done.returncode == 2 and "no.txt does not exist" in done.stderr.replace("\n", "")
    done = run("fit", scan, "--poses", tmp_path / "no.txt", "--sensor", "0,0,0", "-o", tmp_path / "run")
    assert done.returncode == 2 and "exclude each other" in done.stderr
    done = run("info", tmp_path, "--stride", "0")
    assert done.returncode == 2 and "stride must be at least 1" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_budget_measures_the_scan_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def counted(*arguments: Any) -> Any:
        measured.append(1)
        return measure_scan(*arguments)

    monkeypatch.setattr("fastsdf.commands.info.measure_scan", counted)
    monkeypatch.setattr("fastsdf.prepare.pipeline.measure_scan", counted)
    config = load_config("smoke", device="cpu")
    print_info([write_scan(tmp_path, box_room())], config, {}, None, Limits(600.0, None))
    assert len(measured) == 1
