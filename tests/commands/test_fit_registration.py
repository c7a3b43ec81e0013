# SPDX-License-Identifier: MIT
"""The option ``fit --refine-poses`` and what it leaves in the run folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from fastsdf.io import write_point_cloud
from fastsdf.io.poses.pose_files import read_poses
from tests.helpers.cli_calls import QUICK, call_main
from tests.helpers.drifted_views import drifted, scanned_room

VIEW = np.repeat(np.arange(3), 6000)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drift") / "scan.ply"
    write_point_cloud(drifted(scanned_room(), VIEW, 0.005, 0.06), path)
    return path


def test_a_fit_says_what_it_moved(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert call_main("fit", scan, "-o", run, *QUICK) == 0
    assert "3 views (sensor positions) differ by" in " ".join(capsys.readouterr().out.split())
    motions = read_poses(run / "view_motions.txt")
    assert motions.names == (("0",), ("1",), ("2",))
    assert 0.001 < np.abs(motions.matrices - np.eye(4)).max() < 0.05
    facts = json.loads((run / "run.json").read_text())["scan_facts"]
    assert facts["views_moved_max_m"] > 0.003

    assert call_main("fit", scan, "-o", run, *QUICK, "--refine-poses", "off") == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["prepare"]["refine_poses"] == "off"
    assert not (run / "view_motions.txt").exists(), "motions of an earlier fit do not belong to this one"
    assert "views" not in json.loads((run / "run.json").read_text())["scan_facts"]


def test_other_values_are_refused(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call_main("fit", scan, "-o", tmp_path / "run", "--refine-poses", "maybe") == 2
    assert "refine_poses" in capsys.readouterr().err
