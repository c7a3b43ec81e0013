# SPDX-License-Identifier: MIT
"""A fitted field with exact values: a box room whose scan has a round hole in the floor and a door."""

from types import SimpleNamespace
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from fastsdf import FittedField
from fastsdf.config.models import FitConfig, MeshConfig
from fastsdf.field.network import HashGridSDF
from fastsdf.prepare.normalize import fit_transform
from fastsdf.prepare.prepared_scan import PreparedScan, SurfacePoints
from fastsdf.training.warm_start import inverted_box_sdf
from tests.helpers.cli_runs import SIZE_M

# Metres; chosen so that a mesh takes a second and the openings are much wider than the spacing.
SPACING_M = 0.05  # of the points
VOXEL_M = 0.04
HOLE_M, HOLE_RADIUS_M = np.array([1.5, 1.2]), 0.4  # x and y of the centre of the hole in the floor
DOOR_M = ((0.8, 1.8), (0.0, 2.0))  # y and z of the opening in the wall x = 0
NOISE_M = 0.001  # noise that the scan claims to have; its points are exact


class _Exact(nn.Module):
    """Signed distance to a box with corners (2, 3) in the unit frame; sign 1: air inside, -1: air outside."""

    def __init__(self, corners: np.ndarray, sign: float) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.corners, self.sign = torch.as_tensor(corners), sign
        self.spec = SimpleNamespace(grid=SimpleNamespace(num_levels=1))

    def forward(self, x: Tensor, levels: float) -> Tensor:
        return self.sign * inverted_box_sdf(x, *self.corners)


def grid_points() -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) every `SPACING_M` on the six sides without hole and door, and their normals into the room."""
    points, normals = [], []
    for axis, end in ((a, e) for a in range(3) for e in (0.0, 1.0)):
        across = [np.arange(SPACING_M / 2, SIZE_M[a], SPACING_M) for a in range(3) if a != axis]
        plane = np.stack([g.ravel() for g in np.meshgrid(*across, indexing="ij")], axis=1)
        points.append(np.insert(plane, axis, end * SIZE_M[axis], axis=1))
        normals.append(np.tile(np.eye(3)[axis] * (1 - 2 * end), (len(plane), 1)))
    p, n = np.concatenate(points), np.concatenate(normals)
    in_hole = (p[:, 2] == 0) & (np.linalg.norm(p[:, :2] - HOLE_M, axis=1) < HOLE_RADIUS_M)
    in_door = (p[:, 0] == 0) & ((p[:, 1:] > [e[0] for e in DOOR_M]) & (p[:, 1:] < [e[1] for e in DOOR_M])).all(axis=1)
    return p[~in_hole & ~in_door], n[~in_hole & ~in_door]


def exact_fit(scene: Literal["room", "object"] = "room", offset: np.ndarray | None = None) -> FittedField:
    """The room, or a solid box of the same size, as a fitted field.

    Args:
        scene: ``room`` for air inside the box, ``object`` for air around it.
        offset: (3,) added to all coordinates, metres.
    """
    shift = np.zeros(3) if offset is None else offset
    points, normals = grid_points()
    points, normals = points + shift, normals if scene == "room" else -normals
    transform = fit_transform(points)
    unit, spacing = transform.to_unit(points), np.full(len(points), SPACING_M)
    scene_box = np.asarray(transform.lower), np.asarray(transform.upper)
    ones = np.ones(len(points))
    surface = SurfacePoints(unit, normals, ones, spacing / transform.half_extent_m, ones, *scene_box)
    scan = PreparedScan(transform, surface, NOISE_M, {"noise_m": NOISE_M})
    config = FitConfig(scene=scene, mesh=MeshConfig(voxel_size_m=VOXEL_M, min_component_area_m2=0.1))
    field = _Exact(transform.to_unit(np.stack((shift, shift + SIZE_M))), 1.0 if scene == "room" else -1.0)
    return FittedField(cast(HashGridSDF, field), scan, config)
