# SPDX-License-Identifier: MIT
"""The floor at z = 0 and walls along x and y, from any tilt and turn, with the motion written down."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from fastsdf import FittedField, TriangleMesh
from fastsdf.errors import MeshingError
from fastsdf.io import read_mesh
from fastsdf.meshing import floor_alignment
from tests.helpers.cli_calls import call_main
from tests.helpers.cli_runs import SIZE_M

UTM_M = np.array([4e5, 5e6, 100.0])


def furnished_room(noise_m: float = 0.003) -> TriangleMesh:
    """A room with a table and a slanted ceiling, faces into the air, noise on the vertices."""
    shell = trimesh.creation.box(bounds=[np.zeros(3), SIZE_M]).subdivide_to_size(0.2)
    shell.vertices[:, 2] *= 1 - 0.1 * shell.vertices[:, 0] / SIZE_M[0]
    shell.invert()
    table = trimesh.creation.box(bounds=[[1, 1, 0.6], [2.5, 2.2, 0.75]]).subdivide_to_size(0.2)
    both = trimesh.util.concatenate([shell, table])
    noise = np.random.default_rng(0).normal(0, noise_m, both.vertices.shape)
    return TriangleMesh(np.asarray(both.vertices) + noise, np.asarray(both.faces))


@pytest.mark.parametrize("offset", [np.zeros(3), UTM_M])
@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (3.0, -2.0, 37.0), (-20.0, 15.0, -44.0), (1.0, 0.0, 130.0)])
def test_a_turned_room_comes_back(tilt: tuple[float, float, float], offset: np.ndarray) -> None:
    turn = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix()
    room = furnished_room()
    moved = TriangleMesh(room.vertices @ turn.T + offset + [0, 0, 1.3], room.faces)
    matrix = floor_alignment(moved)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix[:3, :3]) > 0
    whole = matrix[:3, :3] @ turn
    angle = np.degrees(np.arccos(np.clip(np.abs(whole).max(axis=0), 0, 1)))
    assert angle.max() < 0.3 and whole[2, 2] > 0.9999
    aligned = moved.moved(matrix).vertices
    floor = room.vertices[:, 2] < 0.02
    assert np.abs(np.median(aligned[floor, 2])) < 1e-3 and np.abs(aligned[floor, 2]).max() < 0.03
    middle = (moved.vertices.min(axis=0) + moved.vertices.max(axis=0)) / 2
    np.testing.assert_allclose((matrix @ [*middle, 1])[:2], middle[:2], atol=1e-6)


def test_the_smallest_turn_is_taken() -> None:
    turn = Rotation.from_euler("z", 30, degrees=True).as_matrix()
    room = furnished_room()
    matrix = floor_alignment(TriangleMesh(room.vertices @ turn.T, room.faces))
    assert np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude()) == pytest.approx(30, abs=0.3)


def test_walls_without_a_floor_are_refused() -> None:
    walls = TriangleMesh(np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([[0, 1, 2]]))
    with pytest.raises(MeshingError, match="no face points up"):
        floor_alignment(walls)


def test_a_floor_alone_is_only_levelled() -> None:
    floor = TriangleMesh(np.array([[0.0, 0, 2], [1, 0, 2], [0, 1, 2.1]]), np.array([[0, 1, 2]]))
    aligned = floor.moved(floor_alignment(floor)).vertices
    np.testing.assert_allclose(aligned[:, 2], 0, atol=1e-12)


@pytest.mark.parametrize(("up", "units", "suffix"), [("z", "m", ".ply"), ("y", "mm", ".obj")])
def test_the_command_writes_the_motion(tiny_fit: FittedField, tmp_path: Path, up: str, units: str, suffix: str) -> None:
    tiny_fit.save(tmp_path / "run")
    common = ("mesh", tmp_path / "run", "--device", "cpu", "-o")
    assert call_main(*common, tmp_path / "plain.ply") == 0
    out = tmp_path / f"aligned{suffix}"
    assert call_main(*common, out, "--align-floor", "--up", up, "--units", units) == 0
    sidecar = tmp_path / f"{out.name}.transform.json"
    matrix = np.array(json.loads(sidecar.read_text())["matrix"])
    plain, aligned = read_mesh(tmp_path / "plain.ply").vertices, read_mesh(out).vertices
    expected = plain @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(aligned, expected, atol=2e-6 * np.abs(expected).max())
    height = aligned[:, 1 if up == "y" else 2]
    assert abs(np.quantile(height, 0.02)) < 0.15 * (1000 if units == "mm" else 1)
    assert call_main(*common, out, "--up", up) == 0
    assert not sidecar.exists()
