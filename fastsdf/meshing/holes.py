# SPDX-License-Identifier: MIT
"""Finds the patches of the field's zero set that close holes of the measured surface up to a given size."""

from itertools import product
from math import gcd

import torch
from torch import Tensor

from fastsdf.meshing.components import components
from fastsdf.meshing.edges import edge_keys, open_edges
from fastsdf.meshing.surface import Surface

# (49, 3), one of each pair of opposite directions; the largest width of a patch along them is its diameter to 5%.
DIRECTIONS = torch.tensor(
    [d for d in product(range(-2, 3), repeat=3) if gcd(*d) == 1 and d > (0, 0, 0)], dtype=torch.float64
)


def in_small_holes(surface: Surface, kept: Tensor, size: float) -> Tensor:
    """Finds the faces that close a hole of the kept surface.

    Faces that are not kept form patches, joined where they share a vertex that no kept face has. A patch closes a hole
    if kept faces surround it (it touches some of them and has no open edge) and its diameter is at most ``size``.

    Args:
        surface: the whole zero set within ``size`` of the kept faces.
        kept: (f,) bool, faces that are kept already.
        size: largest diameter of a hole, world units.

    Returns:
        (f,) bool, True for faces that close a hole; never True for kept faces.
    """
    number_of_vertices = len(surface.vertices)
    on_kept = torch.zeros(number_of_vertices, dtype=torch.bool, device=kept.device)
    on_kept[surface.faces[kept].flatten()] = True
    candidates = (~kept).nonzero()[:, 0]
    if len(candidates) == 0:
        return torch.zeros_like(kept)
    faces = surface.faces[candidates]
    number, patch = components(_without_rim(faces, on_kept), number_of_vertices)
    bad = _diameters(surface.vertices, faces, patch, number) > size
    touches = torch.zeros_like(bad)
    touches[patch[on_kept[faces].any(dim=1)]] = True
    bad[patch[_has_open_edge(surface.faces, faces, number_of_vertices)]] = True
    closing = torch.zeros_like(kept)
    closing[candidates] = (touches & ~bad)[patch]
    return closing


def _without_rim(faces: Tensor, on_kept: Tensor) -> Tensor:
    """Faces (f, 3) with every corner on the kept surface replaced by another corner of the face that is not on it.

    Every face has such a corner. Patches that touch only at the rim of the kept surface are thereby separated.
    """
    own = faces.gather(1, (~on_kept[faces]).byte().argmax(dim=1, keepdim=True))
    return torch.where(on_kept[faces], own, faces)


def _has_open_edge(all_faces: Tensor, faces: Tensor, num_vertices: int) -> Tensor:
    """(f,) bool: True for faces with an edge that no other face of the mesh shares."""
    near = torch.zeros(num_vertices, dtype=torch.bool, device=faces.device)
    near[faces.flatten()] = True
    edges = open_edges(all_faces[near[all_faces].any(dim=1)], num_vertices)
    return torch.isin(edge_keys(faces, num_vertices), edges).any(dim=1)


def _diameters(vertices: Tensor, faces: Tensor, patch: Tensor, number: int) -> Tensor:
    """(number,) diameter of each patch: its largest width along `DIRECTIONS`."""
    corners, patch_of_corner = faces.flatten(), patch.repeat_interleave(3)
    positions = vertices[corners] - vertices.mean(dim=0)
    largest = vertices.new_zeros(number)
    for direction in DIRECTIONS.to(vertices.device):
        along = positions @ (direction / direction.norm())
        high = vertices.new_full((number,), -torch.inf).scatter_reduce_(0, patch_of_corner, along, "amax")
        low = vertices.new_full((number,), torch.inf).scatter_reduce_(0, patch_of_corner, along, "amin")
        largest = torch.maximum(largest, high - low)
    return largest
