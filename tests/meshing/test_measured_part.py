# SPDX-License-Identifier: MIT
"""Measured surface: what lies on the scan counts, by its spacing and noise; far surface and what drifted off do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastsdf.geometry import TriangleMesh
from fastsdf.meshing import keep_faces
from fastsdf.meshing import measured_part as trim
from fastsdf.meshing.discs import make_discs
from fastsdf.prepare.prepared_scan import Support
from tests.helpers.flat_meshes import SPACING, flat_mesh, half_scan
from tests.helpers.surfaces import as_surface

HEIGHTS = (0.0, 0.004, 0.008, 0.012, 0.016, 0.04)


def confidence(mesh: TriangleMesh, support: Support, spacings: float = 1.5) -> np.ndarray:
    """Confidence in the vertices of a level mesh, the zero set of the distance to its plane."""
    surface, height = as_surface(mesh), float(mesh.vertices[0, 2])
    assert surface.normals is not None
    discs = make_discs(support, spacings, 3.0, "cpu")
    return trim.confidence_and_colors(surface.vertices, surface.normals, discs, lambda x: x[:, 2] - height)[0].numpy()


def inner(mesh: TriangleMesh) -> np.ndarray:
    """(v,) bool, two spacings and more from the border of a flat mesh."""
    low, high = mesh.vertices[:, :2].min(0), mesh.vertices[:, :2].max(0)
    return ((mesh.vertices[:, :2] > low + 2 * SPACING) & (mesh.vertices[:, :2] < high - 2 * SPACING)).all(1)


def bridges_gap(mesh: TriangleMesh, support: Support, gap_spacings: float, sigmas: float) -> np.ndarray:
    """Which vertices bridge a small gap."""
    surface, discs = as_surface(mesh), make_discs(support, 1.5, sigmas, "cpu")
    assert surface.normals is not None
    return trim.bridges_gap(surface.vertices, surface.normals, discs, gap_spacings).numpy()


def relax_over_mesh(mesh: TriangleMesh, values: np.ndarray) -> np.ndarray:
    """Vertex values (v,) averaged with their neighbours'."""
    return trim.relax_over_mesh(torch.from_numpy(mesh.faces), torch.from_numpy(values)[:, None])[:, 0].numpy()


def test_only_surface_over_the_scan_is_measured() -> None:
    mesh = flat_mesh()
    sure, x = confidence(mesh, half_scan()), mesh.vertices[:, 0]
    assert sure[x < 0.37].min() > 0.95
    assert sure[x > 0.4 + 2.01 * SPACING].max() < 0.2 and sure[x > 0.4 + 4 * SPACING].max() < 0.02


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.006])
def test_what_is_off_the_scan_is_judged_by_spacing_and_noise(noise: float) -> None:
    at = {height: confidence(mesh := flat_mesh(15, height=height), half_scan(noise))[inner(mesh)] for height in HEIGHTS}
    assert at[0.0].min() > 0.95 and at[0.004].min() > 0.9 and at[0.04].max() < 0.1
    means = [float(values.mean()) for values in at.values()]
    assert means == sorted(means, reverse=True)
    assert at[0.016].mean() < 0.5 if noise < 0.004 else at[0.016].mean() > 0.7


def test_points_of_unknown_normals_support_surface_through_them() -> None:
    mesh, support = flat_mesh(15), half_scan()
    untrusted = replace(support, normal_weight=np.full(len(support.points), 0.15))
    assert confidence(mesh, untrusted)[inner(mesh)].min() > 0.8
    assert confidence(flat_mesh(15, height=0.04), untrusted).max() < 0.2


def test_a_lone_stray_point_supports_nothing() -> None:
    support, mesh = half_scan(), flat_mesh()
    stray = Support(
        np.vstack([support.points, [0.7, 0.4, 0.0]]),
        np.vstack([support.normals, [0.0, 0.0, 1.0]]),
        np.append(support.spacing, 1.0),
        support.noise,
    )
    near = np.linalg.norm(mesh.vertices - [0.7, 0.4, 0.0], axis=1) < 0.1
    assert confidence(mesh, stray)[near].max() < 0.25


def test_larger_discs_keep_more() -> None:
    mesh = flat_mesh()
    beside = np.abs(mesh.vertices[:, 0] - 0.44) < 0.001
    small, large = (confidence(mesh, half_scan(), spacings)[beside] for spacings in (1.5, 4.0))
    assert small.max() < 0.1 and np.median(large) > 0.5


def test_relaxing_keeps_constants_and_smooths_a_step() -> None:
    mesh = flat_mesh(21)
    ones = relax_over_mesh(mesh, np.ones(len(mesh.vertices)))
    np.testing.assert_allclose(ones, 1.0, atol=1e-6)
    step = (mesh.vertices[:, 0] > 0.2).astype(float)
    relaxed = relax_over_mesh(mesh, step)
    assert relaxed.min() >= 0.0 and relaxed.max() <= 1.0 and ((relaxed > 0.05) & (relaxed < 0.95)).any()
    links = np.zeros((len(step), len(step)))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        np.add.at(links, (mesh.faces[:, a], mesh.faces[:, b]), 1.0)
        np.add.at(links, (mesh.faces[:, b], mesh.faces[:, a]), 1.0)
    expected = step
    for _ in range(trim.RELAXATIONS):
        expected = 0.5 * expected + 0.5 * links @ expected / links.sum(1)
    np.testing.assert_allclose(relaxed, expected, atol=1e-12)
    speck = np.zeros(len(mesh.vertices))
    speck[220] = 1.0
    assert relax_over_mesh(mesh, speck).max() < 0.5


def ring_scan(gap: float) -> Support:
    """Lines of points 1 cm apart along y, ``gap`` apart in x, from x = 0 to 0.8."""
    x, y = np.meshgrid(np.arange(0, 0.8 + 1e-9, gap), np.arange(0, 0.8 + 1e-9, 0.01), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    return Support(points, np.tile([0.0, 0.0, 1.0], (len(points), 1)), np.full(len(points), SPACING), 0.003)


def test_gaps_between_scan_lines_are_bridged_but_nothing_beyond_the_scan() -> None:
    mesh, support = flat_mesh(61), ring_scan(0.1)
    bridged = bridges_gap(mesh, support, gap_spacings=6.0, sigmas=3.0)
    inner = ((mesh.vertices[:, :2] > 0.12) & (mesh.vertices[:, :2] < 0.68)).all(1)
    beyond = (mesh.vertices[:, :2] > 0.82).any(1)
    assert bridged[inner].mean() > 0.98 and not bridged[beyond].any()
    assert not bridges_gap(mesh, support, gap_spacings=0.0, sigmas=3.0).any()


def test_wide_gaps_stay_open() -> None:
    bridged = bridges_gap(flat_mesh(41), ring_scan(0.4), gap_spacings=6.0, sigmas=3.0)
    middle = np.abs(flat_mesh(41).vertices[:, 0] - 0.2) < 0.05
    assert not bridged[middle].any()


def test_a_gap_is_not_bridged_off_its_plane() -> None:
    assert not bridges_gap(flat_mesh(41, height=0.02), ring_scan(0.1), gap_spacings=6.0, sigmas=3.0).any()


@pytest.mark.parametrize(("sure", "kept"), [(0.1, False), (0.35, False), (0.45, True), (1.0, True)])
def test_a_doubtful_piece_goes_and_the_largest_stays(sure: float, kept: bool) -> None:
    main, away = flat_mesh(), flat_mesh(11, height=0.5)
    faces = np.concatenate([main.faces, away.faces + len(main.vertices)])
    both = TriangleMesh(np.concatenate([main.vertices, away.vertices]), faces)
    for of_main in (0.0, 1.0):
        values = np.where(both.vertices[:, 2] > 0.3, sure, of_main).astype(np.float32)
        surface = replace(as_surface(both), attributes={"confidence": torch.from_numpy(values)})
        assert len(trim.drop_doubtful_pieces(surface).faces) == len(faces if kept else main.faces)
    assert len(trim.drop_doubtful_pieces(keep_faces(surface, torch.zeros(len(faces), dtype=torch.bool))).faces) == 0
