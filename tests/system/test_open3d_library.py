# SPDX-License-Identifier: MIT
"""A missing or broken Open3D ends in one error that says what to install."""

import json
import sys

import numpy as np
import pytest

from fastsdf.commands.evaluate import evaluate_mesh
from fastsdf.errors import InputError, ScanError
from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.geometry import TriangleMesh
from fastsdf.io import read_point_cloud, write_mesh
from fastsdf.synthetic.raycast import RayScene
from fastsdf.system.open3d_library import load_open3d
from tests.helpers.exported_sphere import sphere

TRIANGLE = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
MISSING = "libGL.so.1: cannot open shared object file"


@pytest.fixture(params=["ImportError", "OSError"])
def broken_open3d(request, tmp_path, monkeypatch):
    """A package ``open3d`` whose import fails for want of a system library."""
    (tmp_path / "open3d").mkdir()
    (tmp_path / "open3d" / "__init__.py").write_text(f"raise {request.param}({MISSING!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "open3d"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("broken_open3d")
@pytest.mark.parametrize("use", [load_open3d, lambda: RayScene(TRIANGLE)])
def test_a_broken_installation_is_explained(use):
    with pytest.raises(InputError, match=rf"{MISSING}\): pip install open3d; .*apt-get install libusb-1\.0-0 libgl1"):
        use()


@pytest.mark.usefixtures("broken_open3d")
def test_distances_to_meshes_do_without_it():
    distance, face = mesh_distance(TRIANGLE).distance(np.zeros((1, 3)))
    assert distance[0] == pytest.approx(1 / np.sqrt(3)) and face[0] == 0


@pytest.mark.usefixtures("broken_open3d")
def test_eval_says_that_it_does_without_it(tmp_path, capsys):
    write_mesh(sphere(), tmp_path / "a.ply")
    evaluate_mesh(tmp_path / "a.ply", tmp_path / "a.ply", None, "room", tmp_path / "a.json", 0)
    assert "without Open3D" in capsys.readouterr().out
    assert json.loads((tmp_path / "a.json").read_text())["chamfer_l1"] < 1e-6


@pytest.mark.usefixtures("broken_open3d")
def test_a_pcd_file_is_named(tmp_path):
    (tmp_path / "a.pcd").write_text("# .PCD v0.7\n")
    with pytest.raises(ScanError, match=rf"a\.pcd: open3d cannot be imported \({MISSING}.*convert the scan to PLY"):
        read_point_cloud(tmp_path / "a.pcd")


def test_a_missing_package_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(InputError, match="pip install open3d"):
        load_open3d()


def test_a_working_package_is_returned(open3d):
    assert load_open3d() is open3d
