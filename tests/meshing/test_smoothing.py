# SPDX-License-Identifier: MIT
"""Smoothing of meshes: noise goes, edges stay, nothing moves far."""

import numpy as np
import pytest
import torch
import trimesh

from fastsdf import TriangleMesh
from fastsdf.errors import InputError
from fastsdf.meshing import extract_surface, smooth
from fastsdf.meshing.smoothing import MAX_MOVE_EDGES, adjacent_faces
from tests.helpers.flat_meshes import flat_mesh

HALF_M, VOXEL_M, NOISE_M, RIM_M = np.array([0.5, 0.4, 0.3]), 0.02, 0.002, 0.025
SHIFT_M = 0.0037


def box_sdf(x: np.ndarray) -> np.ndarray:
    q = np.abs(x - SHIFT_M) - HALF_M
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0)


@pytest.fixture(scope="module")
def noisy() -> TriangleMesh:
    """Marching cubes of a box, whose vertices are moved at random."""
    rng = np.random.default_rng(0)
    around = rng.random((20000, 3)) * 2 - 1
    around *= HALF_M / np.abs(around).max(axis=1, keepdims=True)
    options = {"voxel_size": VOXEL_M, "support_distance": 0.06}
    mesh = extract_surface(lambda x: torch.from_numpy(box_sdf(x.numpy())), torch.from_numpy(around), **options).numpy()
    return TriangleMesh(mesh.vertices + rng.normal(0, NOISE_M, mesh.vertices.shape), mesh.faces, mesh.normals)


def near_edge(points: np.ndarray) -> np.ndarray:
    return np.sort(HALF_M - np.abs(points - SHIFT_M), axis=1)[:, 1] < RIM_M


def off_plane(mesh: TriangleMesh, at_edge: bool) -> float:
    """Root mean square distance from the box's surface."""
    chosen = near_edge(mesh.vertices) == at_edge
    return float(np.sqrt((box_sdf(mesh.vertices[chosen]) ** 2).mean()))


def off_axis(mesh: TriangleMesh, at_edge: bool) -> float:
    """Mean angle in degrees, by area, between the faces' normals and the box's."""
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    chosen = near_edge(mesh.vertices[mesh.faces].mean(axis=1)) == at_edge
    angle = np.degrees(np.arccos(np.clip(np.abs(solid.face_normals).max(axis=1), 0, 1)))
    return float(np.average(angle[chosen], weights=solid.area_faces[chosen]))


def test_planes_get_flat_and_edges_survive(noisy: TriangleMesh) -> None:
    smoothed = smooth(noisy, 5)
    assert off_plane(smoothed, False) < 0.35 * off_plane(noisy, False)
    assert off_axis(smoothed, False) < 0.2 * off_axis(noisy, False)
    assert off_plane(smoothed, True) < off_plane(noisy, True)
    assert off_axis(smoothed, True) < 0.55 * off_axis(noisy, True)
    rounded = trimesh.Trimesh(noisy.vertices.copy(), noisy.faces, process=False)
    trimesh.smoothing.filter_taubin(rounded, iterations=20)  # forgets the edges
    assert off_axis(smoothed, True) < 0.5 * off_axis(TriangleMesh(np.asarray(rounded.vertices), noisy.faces), True)
    volume = trimesh.Trimesh(smoothed.vertices, smoothed.faces, process=False).volume
    assert volume == pytest.approx(8 * HALF_M.prod(), rel=3e-3)


def test_nothing_moves_further_than_half_an_edge(noisy: TriangleMesh) -> None:
    edges = np.linalg.norm(np.diff(noisy.vertices[noisy.faces[:, :2]], axis=1), axis=2)
    moved = np.linalg.norm(smooth(noisy, 10).vertices - noisy.vertices, axis=1)
    assert NOISE_M < moved.max() <= MAX_MOVE_EDGES * np.median(edges) * (1 + 1e-9)


def test_far_away_it_is_the_same_and_everything_else_stays() -> None:
    plane = flat_mesh(9)
    rough = plane.vertices + np.random.default_rng(0).normal(0, 1e-3, plane.vertices.shape) * [0, 0, 1]
    colors, kept = np.zeros((81, 3), np.uint8), {"measured": np.arange(81, dtype=np.uint8)}
    mesh = TriangleMesh(rough, plane.faces, plane.normals, colors, kept)
    shift = np.array([4e5, 5e6, 100.0])
    near, far = (smooth(TriangleMesh(rough + s, plane.faces, plane.normals, colors, kept), 3) for s in (0, shift))
    np.testing.assert_allclose(far.vertices - shift, near.vertices, atol=1e-8)
    assert near.colors is colors and near.attributes is kept and near.faces is plane.faces
    assert near.normals is not None and near.normals[:, 2].min() > 0.99
    assert smooth(mesh, 0) is mesh


def test_pairs_of_faces_share_an_edge() -> None:
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [3, 1, 4], [1, 4, 5], [4, 1, 6]])
    pairs = {tuple(sorted(pair)) for pair in adjacent_faces(faces, 7).tolist()}
    assert pairs == {(0, 1), (1, 2)}  # three faces meet at the edge 1-4


@pytest.mark.parametrize("rounds", [-1, 101])
def test_bad_rounds_are_named(noisy: TriangleMesh, rounds: int) -> None:
    with pytest.raises(InputError, match=f"the number of smoothing rounds is {rounds}; give 0 to 100"):
        smooth(noisy, rounds)
