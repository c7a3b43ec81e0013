# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from fastsdf.meshing.border import cut_at_level, smooth_border
from fastsdf.meshing.components import face_areas, face_cross
from fastsdf.meshing.edges import open_edges
from fastsdf.meshing.surface import Surface


def plane(n: int, seed: int = 0) -> Surface:
    """A square of side 1 in the plane z = 0 with n x n cells, each of two triangles; inner vertices jittered."""
    axis = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    vertices = torch.stack((x, y, 0 * x), -1).reshape(-1, 3)
    inner = ((vertices[:, :2] > 1e-9) & (vertices[:, :2] < 1 - 1e-9)).all(1)
    noise = 0.2 / n * torch.rand((len(vertices), 2), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    vertices[:, :2] += inner[:, None] * noise
    i, j = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    a = (i * (n + 1) + j).flatten()
    b, c, d = a + n + 1, a + n + 2, a + 1
    faces = torch.cat([torch.stack((a, b, c), 1), torch.stack((a, c, d), 1)])
    return Surface(vertices, faces)


def border_points(surface: Surface) -> Tensor:
    size = len(surface.vertices)
    keys = open_edges(surface.faces, size)
    return surface.vertices[torch.cat([keys // size, keys % size]).unique()]


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.785398, 1.2])
def test_a_linear_level_is_cut_along_a_straight_line(angle: float) -> None:
    surface = plane(20)
    direction = torch.tensor([np.cos(angle), np.sin(angle), 0.0], dtype=torch.float64)
    level = surface.vertices @ direction - 0.5
    cut = cut_at_level(surface, level)
    assert (cut.vertices @ direction).min() > 0.5 - 1e-12
    expected = 1 - _area_below(direction[:2].numpy(), 0.5)
    np.testing.assert_allclose(
        float(face_areas(cut.vertices, cut.faces).sum()), expected, atol=2e-4
    )  # corners move onto it
    assert (face_cross(cut.vertices, cut.faces)[:, 2] > 0).all(), "all faces still point up"


def _area_below(direction: np.ndarray, bound: float, cells: int = 2000) -> float:
    """Area of the part of the unit square with ``direction . x < bound``, from exact lengths of strips."""
    x = (np.arange(cells) + 0.5) / cells
    if abs(direction[1]) < 1e-12:
        return float(bound / direction[0])
    return float(np.clip((bound - direction[0] * x) / direction[1], 0, 1).mean())


def test_a_cut_has_no_cracks_and_no_slivers() -> None:
    surface = plane(30)
    level = 0.3 - (surface.vertices - 0.5)[:, :2].norm(dim=1)
    cut = cut_at_level(surface, level)
    radius = (border_points(cut) - 0.5)[:, :2].norm(dim=1)
    np.testing.assert_allclose(radius, 0.3, atol=1e-3)  # the only open edges lie on the circle
    shortest = (cut.vertices[cut.faces] - cut.vertices[cut.faces.roll(1, 1)]).norm(dim=2).min()
    assert shortest > 0.1 / 30
    assert len(cut.faces) < (level >= 0)[surface.faces].any(1).sum() * 1.5


def test_attributes_are_interpolated_and_whole_numbers_kept() -> None:
    surface = plane(10)
    size = len(surface.vertices)
    tilted = torch.nn.functional.normalize(torch.rand((size, 3), dtype=torch.float64) + 0.1, dim=1)
    colors = (surface.vertices[:, :1] > 0.55).to(torch.uint8).expand(-1, 3) * 200
    values = {"x": surface.vertices[:, 0].float(), "measured": (surface.vertices[:, 0] > 0.55).to(torch.uint8)}
    cut = cut_at_level(
        replace(surface, normals=tilted, colors=colors, attributes=values), surface.vertices[:, 0] - 0.55
    )
    new = cut.vertices[:, 0] < 0.55 + 1e-9
    assert new.any() and cut.colors is not None and cut.normals is not None
    assert cut.attributes["x"].dtype == torch.float32 and cut.attributes["measured"].dtype == torch.uint8
    np.testing.assert_allclose(cut.attributes["x"][new], 0.55, atol=0.03)
    np.testing.assert_allclose(cut.normals.norm(dim=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("level", [1.0, -1.0], ids=["all", "none"])
def test_nothing_to_cut(level: float) -> None:
    surface = plane(5)
    values = torch.full((len(surface.vertices),), level, dtype=torch.float64)
    cut = cut_at_level(surface, smooth_border(surface.faces, values))
    assert len(cut.faces) == (50 if level > 0 else 0)


def test_a_ragged_border_becomes_smooth_where_it_was() -> None:
    surface = plane(60)
    x, y = surface.vertices[:, 0], surface.vertices[:, 1]
    teeth = 1.5 / 60 * torch.sign(torch.sin(2 * np.pi * 15 * y))  # as deep as they are wide: two cells
    level = ((x - 0.5 + teeth) * 10).clamp(-0.25, 0.75)  # from not kept to certain within six cells
    ragged = cut_at_level(surface, level)
    smooth = cut_at_level(surface, smooth_border(surface.faces, level))

    def spread(mesh: Surface) -> float:
        points = border_points(mesh)
        inner = (points[:, 0] < 0.9) & (points[:, 1] > 0.15) & (points[:, 1] < 0.85)
        return float(points[inner, 0].std())

    assert spread(smooth) < 0.4 * spread(ragged)
    moved = border_points(smooth)
    inner = (moved[:, 0] < 0.9) & (moved[:, 1] > 0.15) & (moved[:, 1] < 0.85)
    assert abs(float(moved[inner, 0].mean()) - 0.5) < 2.5 / 60, "the depth of the teeth and a cell"


def test_thin_parts_survive() -> None:
    """A strip of four cells beside a large part keeps most of its area."""
    surface = plane(60)
    x, y = surface.vertices[:, 0], surface.vertices[:, 1]
    strip = (y - 0.5).abs() < 2.5 / 60
    level = torch.where((x > 0.6) | strip, 0.5, -0.25).double()
    cut = cut_at_level(surface, smooth_border(surface.faces, level))
    center = cut.vertices[cut.faces].mean(1)
    of_strip = center[:, 0] < 0.45
    before = face_areas(surface.vertices, surface.faces[(level >= 0)[surface.faces].all(1)])
    whole = surface.vertices[surface.faces[(level >= 0)[surface.faces].all(1)]].mean(1)[:, 0] < 0.45
    kept = float(face_areas(cut.vertices, cut.faces)[of_strip].sum()) / float(before[whole].sum())
    assert 0.6 < kept < 1.3
