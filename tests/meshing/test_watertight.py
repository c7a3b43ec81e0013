# SPDX-License-Identifier: MIT
"""Watertight meshes of curved shapes, whose normals are those of the field and not of the box around it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from fastsdf.meshing import BoxClip, extract_watertight, is_closed

RADIUS, CENTER = 0.4, torch.tensor([0.03, -0.02, 0.05], dtype=torch.float64)


def ball(points: Tensor) -> Tensor:
    return (points - CENTER).norm(dim=1) - RADIUS


def unit(points: Tensor) -> Tensor:
    return torch.nn.functional.normalize(points - CENTER, dim=1)


@pytest.mark.parametrize("solid_outside", [False, True], ids=["object", "room"])
def test_every_normal_of_a_sphere_is_that_of_the_field(solid_outside: bool) -> None:
    sign = -1.0 if solid_outside else 1.0  # a room is the air inside the sphere
    clip = BoxClip(torch.full((3,), -0.6).double(), torch.full((3,), 0.6).double(), solid_outside)
    surface = extract_watertight(lambda x: sign * ball(x), lambda x: sign * unit(x), clip, 0.05)
    assert is_closed(surface.faces) and surface.normals is not None
    cosine = (surface.normals * sign * unit(surface.vertices)).sum(1)
    assert float(cosine.min()) > 0.9999


@pytest.mark.parametrize("solid_outside", [False, True], ids=["object", "room"])
def test_a_sphere_cut_by_its_box_has_the_normals_of_both(solid_outside: bool) -> None:
    sign, edge = -1.0 if solid_outside else 1.0, 0.2
    lower = torch.tensor([-0.6, -0.6, -edge]).double()
    clip = BoxClip(lower, torch.full((3,), 0.6).double(), solid_outside)
    surface = extract_watertight(lambda x: sign * ball(x), lambda x: sign * unit(x), clip, 0.05)
    assert is_closed(surface.faces) and surface.normals is not None
    on_box = (surface.vertices[:, 2] + edge).abs() < 1e-3
    cosine = (surface.normals * sign * unit(surface.vertices)).sum(1)
    away = surface.vertices[:, 2] > -edge + 0.05
    assert float(cosine[away].min()) > 0.9999
    inner = on_box & ((surface.vertices - CENTER)[:, :2].norm(dim=1) < 0.25)
    down = np.array([0.0, 0.0, -1.0 if not solid_outside else 1.0])
    assert bool(inner.any()) and float((surface.normals[inner] @ torch.from_numpy(down)).min()) > 0.9999
