# SPDX-License-Identifier: MIT
"""Gives an open mesh smooth borders: triangles are cut along a smoothed border instead of dropped whole."""

from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.meshing.components import remove_unreferenced, sum_at_corners
from fastsdf.meshing.surface import Surface

ROUNDS = 16  # of Taubin's filter; more gave the same borders (docs/notebook/2026-12-01-borders.md)
SHRINK, GROW = 0.5, -0.51  # weights of his two half rounds; tears and notches of about three cells go (same page)
BAND_RINGS = 10  # rings of faces around the border that are filtered; wider than the filter reaches noticeably. Chosen
THIN_RINGS = 4  # rings; kept vertices farther than this from the smoothed part are thin, and keep their border. Chosen
WIDEN = 0.06  # added to the values, since the ring at the border is lost; the room's completeness stays as it was
SOFT = 0.2  # change of a vertex value over which it goes from outside to inside; chosen about the width of its noise
SNAP = 0.25  # share of an edge; an end closer to the cut moves onto it, so that no slivers arise. Chosen


def smooth_border(faces: Tensor, level: Tensor) -> Tensor:
    """Replaces values whose zero level is a ragged border by values whose zero level is smooth.

    A vertex first takes the lowest value among its neighbours, because the zero set often turns away in the last ring
    of triangles. Then the values near the border are filtered along the mesh, so that its tears and notches go while
    wider parts keep their width (Taubin 1995). Parts too thin for that, such as rods and leaves, keep their border.

    Args:
        faces: (f, 3) of the whole mesh.
        level: (v,) float64, >= 0 at the vertices to keep.

    Returns:
        (v,) float64 values, >= 0 at the vertices to keep.
    """
    level = _lowest_around(faces, level + WIDEN)
    kept = level >= 0
    band = _near_border(faces, kept)
    some = faces[band[faces].any(1)]
    used, corners = some.unique(return_inverse=True)
    inside = (0.5 + level / SOFT).clamp(0.0, 1.0)
    smooth = inside.index_copy(0, used, _filtered(corners, inside[used], band[used])) - 0.5
    reached = smooth >= 0
    for _ in range(THIN_RINGS):
        reached = kept & (reached | _grown(some, reached))
    smooth = torch.where(kept & ~reached, level.maximum(smooth), smooth)
    return torch.where(band, smooth, level)


def _lowest_around(faces: Tensor, values: Tensor) -> Tensor:
    """(v,) lowest value (v,) of a vertex and its neighbours."""
    lowest = values[faces].amin(1, keepdim=True).expand(-1, 3)
    return values.scatter_reduce(0, faces.flatten(), lowest.flatten(), "amin")


def _near_border(faces: Tensor, kept: Tensor) -> Tensor:
    """(v,) bool: within `BAND_RINGS` rings of a face with both kept (v,) and other corners."""
    corners = kept[faces]
    mixed = corners.any(1) & ~corners.all(1)
    band = torch.zeros_like(kept)
    band[faces[mixed].flatten()] = True
    for _ in range(BAND_RINGS):
        band = band | _grown(faces, band)
    return band


def _grown(faces: Tensor, chosen: Tensor) -> Tensor:
    """(v,) bool: corner of a face with a chosen (v,) corner."""
    out = torch.zeros_like(chosen)
    out[faces[chosen[faces].any(1)].flatten()] = True
    return out


def _filtered(faces: Tensor, values: Tensor, free: Tensor) -> Tensor:
    """Values (v,) after `ROUNDS` rounds of Taubin's filter; those that are not ``free`` (v,) stay."""
    around = sum_at_corners(faces, torch.ones(len(faces), dtype=values.dtype, device=values.device), len(values))
    around = (2.0 * around).clamp(min=1.0)
    for weight in (SHRINK, GROW) * ROUNDS:
        a, b, c = (values[corner] for corner in faces.T)
        others = torch.stack((b + c, a + c, a + b), 1)
        ring = torch.zeros_like(values).index_add_(0, faces.flatten(), others.flatten())
        values = torch.where(free, (1 - weight) * values + weight * ring / around, values)
    return values


def cut_at_level(surface: Surface, level: Tensor) -> Surface:
    """The part of a mesh where a value is at least 0, its triangles cut where the value is 0.

    Positions, normals, colours and attributes are interpolated along the edges that are cut; whole numbers are those of
    the end that is kept. A vertex closer to the cut than `SNAP` of its edge moves onto the cut.

    Args:
        surface: any mesh.
        level: (v,) float64 values, linear on every edge.
    """
    surface, level = _snapped(surface, level)
    sign = torch.where(level > 0, 1, torch.where(level < 0, -1, 0))[surface.faces]
    whole = surface.faces[(sign >= 0).all(1) & (sign > 0).any(1)]
    cut = (sign > 0).any(1) & (sign < 0).any(1)
    faces, sign = _turned(surface.faces[cut], sign[cut])
    # The first corner is kept alone (a third corner may lie on the cut), or it is the only one that is dropped.
    alone, a, b, c = sign[:, 0] > 0, *faces.T
    ends = torch.stack([torch.stack((a, b), 1), torch.stack((a, c), 1)], 1).flatten(0, 1)
    crosses = level[ends[:, 0]].sign() * level[ends[:, 1]].sign() < 0
    corner, surface = _with_crossings(surface, level, ends, crosses)
    ab, ac = corner.view(-1, 2).T
    one = torch.stack((a, ab, ac), 1)[alone]
    first = torch.stack((ab, b, c), 1)[~alone]
    second = torch.stack((ab, c, ac), 1)[~alone]
    parts = torch.cat([whole, one, first, second])
    return remove_unreferenced(replace(surface, faces=parts))


def _turned(faces: Tensor, sign: Tensor) -> tuple[Tensor, Tensor]:
    """Rotates the corners of faces with both signs: first the only positive one, or else the only negative one."""
    lone = torch.where((sign > 0).sum(1, keepdim=True) == 1, sign > 0, sign < 0)
    turn = (lone.long().argmax(1)[:, None] + torch.arange(3, device=faces.device)) % 3
    return faces.gather(1, turn), sign.gather(1, turn)


def _with_crossings(surface: Surface, level: Tensor, ends: Tensor, crosses: Tensor) -> tuple[Tensor, Surface]:
    """Adds one vertex for each edge that crosses level 0.

    Args:
        surface, level: the mesh and its values.
        ends: (e, 2) vertices of edges.
        crosses: (e,) bool, which of them have ends of both signs; the second end of the others is at the level.

    Returns:
        (e,) vertex of each edge at the level, and the mesh with the new vertices.
    """
    size = len(level)
    low, high = ends[crosses].sort(1).values.T
    keys, inverse = (low * size + high).unique(return_inverse=True)
    low, high = keys // size, keys % size
    share = level[low] / (level[low] - level[high])
    corner = ends[:, 1].index_put((crosses.nonzero()[:, 0],), size + inverse)
    return corner, _appended(surface, low, high, share, level[low] > 0)


def _appended(surface: Surface, low: Tensor, high: Tensor, share: Tensor, keeps_low: Tensor) -> Surface:
    """The mesh with vertices added at ``low + share (high - low)``; see `cut_at_level`."""

    def between(values: Tensor) -> Tensor:
        shape = (-1, *[1] * (values.dim() - 1))
        if not values.is_floating_point():
            return torch.cat([values, torch.where(keeps_low.view(shape), values[low], values[high])])
        t = share.view(shape).to(values.dtype)
        return torch.cat([values, values[low] + t * (values[high] - values[low])])

    normals = None if surface.normals is None else torch.nn.functional.normalize(between(surface.normals), dim=1)
    return Surface(
        between(surface.vertices),
        surface.faces,
        normals,
        None if surface.colors is None else between(surface.colors),
        {name: between(values) for name, values in surface.attributes.items()},
    )


def _snapped(surface: Surface, level: Tensor) -> tuple[Surface, Tensor]:
    """Moves vertices near the level along an edge onto it, and sets their value to 0; see `cut_at_level`.

    Of the edges that cross the level close to a vertex, the one that crosses closest counts. Of the two ends of an edge
    only one can be close, because `SNAP` is below a half.
    """
    edges = torch.cat([surface.faces[:, [0, 1]], surface.faces[:, [1, 2]], surface.faces[:, [2, 0]]])
    edges = torch.cat([edges, edges.flip(1)])
    edges = edges[(level[edges[:, 0]] * level[edges[:, 1]] < 0)]
    start, end = edges.T
    share = level[start] / (level[start] - level[end])
    near = share < SNAP
    start, end, share = start[near], end[near], share[near]
    closest = torch.full_like(level, torch.inf).scatter_reduce(0, start, share, "amin")
    chosen = share == closest[start]
    start, end, share = start[chosen], end[chosen], share[chosen]
    moved = surface.vertices[start] + share[:, None] * (surface.vertices[end] - surface.vertices[start])
    vertices = surface.vertices.index_put((start,), moved)
    start, end = start[level[start] < 0], end[level[start] < 0]
    attributes = {
        name: values if values.is_floating_point() else values.index_put((start,), values[end])
        for name, values in surface.attributes.items()
    }
    return replace(surface, vertices=vertices, attributes=attributes), level.masked_fill(closest < SNAP, 0.0)
