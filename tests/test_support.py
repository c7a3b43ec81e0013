# SPDX-License-Identifier: MIT
"""Measured surface: discs follow the spacing and the noise, closing sheets and far surface are left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from surfaces import as_surface

from fastsdf.meshing import trim
from fastsdf.meshing.support import Support, make_discs
from fastsdf.scan import TriangleMesh

SPACING = 0.02


def flat_mesh(size: int = 41, edge: float = 0.02, height: float = 0.0) -> TriangleMesh:
    """A square grid of triangles in the plane z = height, from the origin along +x and +y."""
    x, y = np.meshgrid(np.arange(size) * edge, np.arange(size) * edge, indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    lower = np.stack([corner, corner + size, corner + 1], axis=1)
    upper = np.stack([corner + 1, corner + size, corner + size + 1], axis=1)
    return TriangleMesh(vertices, np.concatenate([lower, upper]), np.tile([0.0, 0.0, 1.0], (len(vertices), 1)))


def measured_support(mesh: TriangleMesh, support: Support, spacings: float, sigmas: float) -> np.ndarray:
    """How many of its 8 nearest discs each vertex lies on."""
    surface = as_surface(mesh)
    assert surface.normals is not None
    return trim.look_up(surface.vertices, surface.normals, make_discs(support, spacings, sigmas, "cpu"))[0].numpy()


def bridges_gap(mesh: TriangleMesh, support: Support, gap_spacings: float, sigmas: float) -> np.ndarray:
    """Which vertices bridge a small gap."""
    surface, discs = as_surface(mesh), make_discs(support, 1.5, sigmas, "cpu")
    assert surface.normals is not None
    return trim.bridges_gap(surface.vertices, surface.normals, discs, gap_spacings).numpy()


def relax_over_mesh(mesh: TriangleMesh, values: np.ndarray) -> np.ndarray:
    """Vertex values (v,) averaged with their neighbours'."""
    return trim.relax_over_mesh(torch.from_numpy(mesh.faces), torch.from_numpy(values)[:, None])[:, 0].numpy()


def half_scan(noise: float = 0.003, width: float = 0.4) -> Support:
    """Points 2 cm apart on x <= width of the plane z = 0, normals of mixed sign."""
    x, y = np.meshgrid(np.arange(0, width + 1e-9, SPACING), np.arange(0, 0.8 + 1e-9, SPACING), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    sign = np.random.default_rng(0).choice([-1.0, 1.0], len(points))
    return Support(points, sign[:, None] * [0.0, 0.0, 1.0], np.full(len(points), SPACING), noise)


def test_only_surface_over_the_scan_is_supported() -> None:
    mesh = flat_mesh()
    counts = measured_support(mesh, half_scan(), spacings=2.0, sigmas=3.0)
    x = mesh.vertices[:, 0]
    assert counts[x < 0.35].min() >= 3
    assert counts[x > 0.4 + 2.01 * SPACING].max() == 0


@pytest.mark.parametrize(("height", "supported"), [(0.0, True), (0.008, True), (0.012, False)])
def test_offset_is_judged_by_the_noise(height: float, supported: bool) -> None:
    counts = measured_support(flat_mesh(11, height=height), half_scan(noise=0.003), spacings=2.0, sigmas=3.0)
    assert (counts.min() >= 3) if supported else (counts.max() == 0)


def test_without_noise_a_fifth_of_the_spacing_is_allowed() -> None:
    support = half_scan(noise=0.0)
    assert measured_support(flat_mesh(11, height=0.0039), support, 2.0, 3.0).min() >= 3
    assert measured_support(flat_mesh(11, height=0.0041), support, 2.0, 3.0).max() == 0


def test_a_sheet_that_turns_away_is_not_supported() -> None:
    mesh = flat_mesh(11)
    turned = TriangleMesh(mesh.vertices, mesh.faces, np.tile([1.0, 0.0, 0.0], (len(mesh.vertices), 1)))
    assert measured_support(turned, half_scan(), 2.0, 3.0).max() == 0


def test_a_disc_without_a_normal_takes_that_of_the_surface() -> None:
    mesh = flat_mesh(11)
    turned = TriangleMesh(mesh.vertices, mesh.faces, np.tile([1.0, 0.0, 0.0], (len(mesh.vertices), 1)))
    support = half_scan(noise=0.003)
    loose = replace(support, loose=np.ones(len(support.points), bool))
    assert measured_support(mesh, loose, 2.0, 3.0).tolist() == measured_support(mesh, support, 1.8, 3.0).tolist()
    assert measured_support(turned, support, 2.0, 3.0).max() == 0
    assert measured_support(turned, loose, 2.0, 3.0).min() >= 1
    away = replace(mesh, vertices=mesh.vertices + np.array([0, 0, 0.012]))
    assert measured_support(away, loose, 2.0, 3.0).max() == 0


def test_a_lone_stray_point_has_no_large_disc() -> None:
    support = half_scan()
    stray = Support(
        np.vstack([support.points, [0.7, 0.4, 0.0]]),
        np.vstack([support.normals, [0.0, 0.0, 1.0]]),
        np.append(support.spacing, 1.0),
        support.noise,
    )
    mesh = flat_mesh()
    counts = measured_support(mesh, stray, 2.0, 3.0)
    near = np.linalg.norm(mesh.vertices - [0.7, 0.4, 0.0], axis=1) < 0.1
    assert counts[near].max() == 1


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


@pytest.mark.parametrize(
    ("loose_from", "sparser", "dropped"),
    [(0.3, 4.0, True), (0.3, 1.0, False), (0.6, 4.0, False), (0.0, 4.0, False)],
    ids=["sparse", "as dense as the rest", "normals known", "all unknown"],
)
def test_a_sparse_piece_of_unknown_normals_alone_is_dropped(loose_from: float, sparser: float, dropped: bool) -> None:
    main, away = flat_mesh(), flat_mesh(11, height=0.5)
    faces = np.concatenate([main.faces, away.faces + len(main.vertices)])
    up = np.tile([0.0, 0.0, 1.0], (len(main.vertices) + len(away.vertices), 1))
    both = TriangleMesh(np.concatenate([main.vertices, away.vertices]), faces, up)
    height = both.vertices[:, 2]
    spacing = np.where(height > 0.3, sparser, 1.0) * SPACING
    support = Support(both.vertices, up, spacing, 0.001, loose=height >= loose_from)
    kept = trim.drop_loose_pieces(as_surface(both), make_discs(support, 1.5, 3.0, "cpu"))
    assert len(kept.faces) == len(main.faces if dropped else faces)


def test_loose_points_beside_known_surface_keep_theirs() -> None:
    mesh = flat_mesh()
    support = Support(mesh.vertices, np.tile([0.0, 0.0, 1.0], (len(mesh.vertices), 1)), np.full(41**2, SPACING), 0.001)
    discs = make_discs(replace(support, loose=mesh.vertices[:, 0] > 0.6), 1.5, 3.0, "cpu")
    assert len(trim.drop_loose_pieces(as_surface(mesh), discs).faces) == len(mesh.faces)
