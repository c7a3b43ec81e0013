# SPDX-License-Identifier: MIT
"""Distances without Open3D: the same as Open3D's, exact on shapes with known distance, for any shape of triangle."""

from types import ModuleType

import numpy as np
import pytest
import trimesh

from fastsdf.evaluation import exact_distance
from fastsdf.evaluation.exact_distance import ExactDistance, cut_triangles, nearest_of
from fastsdf.evaluation.mesh_distance import Open3DDistance
from fastsdf.geometry import TriangleMesh

UTM_M = np.array([4e5, 5e6, 100.0])


def soup(seed: int = 0) -> TriangleMesh:
    """Triangles of all sizes: walls, slivers, crumbs and one without area."""
    rng = np.random.default_rng(seed)
    sizes = np.array([4.0, 0.5, 0.02])[rng.integers(0, 3, 300)]
    corners = rng.uniform(-2, 2, (300, 1, 3)) + sizes[:, None, None] * rng.standard_normal((300, 3, 3))
    corners[:50, 2] = corners[:50, 1] + 1e-4 * rng.standard_normal((50, 3))
    corners[50] = corners[50, :1]
    return TriangleMesh(corners.reshape(-1, 3), np.arange(900).reshape(-1, 3))


@pytest.mark.parametrize("offset", [0.0, UTM_M], ids=["origin", "utm"])
def test_it_agrees_with_open3d(open3d: ModuleType, offset: np.ndarray | float) -> None:
    mesh = soup()
    mesh = TriangleMesh(mesh.vertices + offset, mesh.faces)
    x = np.random.default_rng(1).uniform(-6, 6, (5000, 3)) + offset
    ours, face = ExactDistance(mesh).distance(x)
    np.testing.assert_allclose(ours, Open3DDistance(mesh).distance(x)[0], rtol=0, atol=1e-6)
    own, _ = nearest_of(x - offset, mesh.vertices[mesh.faces] - offset, face[:, None])
    np.testing.assert_allclose(own, ours, rtol=0, atol=1e-8)


def test_every_triangle_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against all pairs, with pieces so large and candidates so few that most points take several rounds."""
    monkeypatch.setattr(exact_distance, "MAX_PIECES", 50)
    monkeypatch.setattr(exact_distance, "FIRST_CANDIDATES", 1)
    monkeypatch.setattr(exact_distance, "PAIRS_AT_ONCE", 1000)
    mesh, x = soup(2), np.random.default_rng(3).uniform(-6, 6, (200, 3))
    every = np.tile(np.arange(len(mesh.faces)), (len(x), 1))
    all_pairs, _ = nearest_of(x, mesh.vertices[mesh.faces], every)
    np.testing.assert_allclose(ExactDistance(mesh).distance(x)[0], all_pairs, rtol=0, atol=1e-12)


def test_distances_to_a_box_are_exact() -> None:
    box = trimesh.creation.box((2.0, 1.0, 3.0))
    x = np.random.default_rng(4).uniform(-3, 3, (2000, 3))
    q = np.abs(x) - [1.0, 0.5, 1.5]
    exact = np.linalg.norm(np.maximum(q, 0), axis=1) - np.minimum(q.max(axis=1), 0)
    mesh = TriangleMesh(np.asarray(box.vertices), np.asarray(box.faces))
    np.testing.assert_allclose(ExactDistance(mesh).distance(x)[0], exact, rtol=0, atol=1e-12)


def test_cut_triangles_cover_the_same_surface() -> None:
    corners = soup().vertices.reshape(-1, 3, 3)
    pieces, part_of = cut_triangles(corners, 0.7)
    assert np.linalg.norm(np.roll(pieces, -1, axis=1) - pieces, axis=2).max() <= 0.7

    def area(t: np.ndarray) -> np.ndarray:
        return 0.5 * np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)

    np.testing.assert_allclose(np.bincount(part_of, area(pieces), len(corners)), area(corners), atol=1e-9)
    middle = pieces.mean(axis=1)
    np.testing.assert_allclose(nearest_of(middle, corners, part_of[:, None])[0], 0, atol=1e-9)


def test_no_points_and_one_face() -> None:
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    assert ExactDistance(mesh).distance(np.zeros((0, 3)))[0].shape == (0,)
    assert ExactDistance(mesh).distance(np.zeros((1, 3)))[0][0] == pytest.approx(3**-0.5)
