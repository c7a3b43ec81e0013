# SPDX-License-Identifier: MIT
"""Which part of a mesh the scan has measured, judged against each point's own spacing and the scan's noise."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.cloud_thinning import even_subset
from fastsdf.meshing.attributes import scan_colors, with_support
from fastsdf.meshing.clean import components, keep_faces, sum_at_corners
from fastsdf.meshing.support import MIN_COSINE, NEIGHBOURS, Discs, Neighbours, in_chunks
from fastsdf.meshing.surface import Surface
from fastsdf.quantiles import median
from fastsdf.vectors import dot

GAP_NEIGHBOURS = 24
GAP_THINNING = 1.5
MAX_OPEN_ANGLE = math.radians(150.0)
RELAXATIONS = 4
FIRM_SHARE = 0.15
SPARSE_RADII = 2.0
SPARSE_SHARE = 0.5
KEPT_SHARE = 0.5 - 1e-9  # a tie counts as supported, whatever the order of summation


def judge_vertices(surface: Surface, discs: Discs, required: float, gap_spacings: float) -> tuple[Surface, Tensor]:
    """The mesh with confidence, measured and the scan's colours, and which of its vertices the scan supports.

    Args:
        surface: with vertex normals.
        discs: those of the scan, on the mesh's device.
        required: discs that a vertex must lie on to be measured.
        gap_spacings: width of gaps that are bridged, in median spacings.

    Returns:
        The mesh with its attributes (`fastsdf.meshing.attributes.with_support`) and, if the scan has them, colours;
        and (v,) bool, True for vertices that are measured or bridge a small gap.
    """
    assert surface.normals is not None
    counts, colors = look_up(surface.vertices, surface.normals, discs)
    on_discs = (counts.double() / required).clamp(max=1.0)
    weak = (on_discs < 1.0).nonzero()[:, 0]
    bridged = bridges_gap(surface.vertices[weak], surface.normals[weak], discs, gap_spacings)
    supported = on_discs.index_fill(0, weak[bridged], 1.0)
    kept = relax_over_mesh(surface.faces, torch.stack((on_discs, supported), dim=1)) >= KEPT_SHARE
    return with_support(replace(surface, colors=colors), counts, kept[:, 0]), kept[:, 1]


def drop_loose_pieces(surface: Surface, discs: Discs) -> Surface:
    """The mesh without pieces that only sparse points of unknown normal vouch for; the largest piece always stays.

    Such discs turn with the surface, so that any surface through a few points fits them: beside other surface they are
    thin parts, alone and sparse they are outliers. A piece goes if less than 15% of its vertices lie on discs
    whose normal is known, and most of the nearest discs are larger than twice the median one.

    Args:
        surface: with vertex normals.
        discs: those of the scan, on the mesh's device.
    """
    assert surface.normals is not None
    firm = (~discs.loose).nonzero()[:, 0]
    if len(surface.faces) == 0 or len(firm) in (0, len(discs.loose)):
        return surface
    number, piece = components(surface.faces, len(surface.vertices))
    of_vertex = torch.empty(len(surface.vertices), dtype=torch.int64, device=piece.device)
    of_vertex[surface.faces.flatten()] = piece.repeat_interleave(3)
    small = (of_vertex != piece.bincount().argmax()).nonzero()[:, 0]
    places, of_vertex = surface.vertices[small], of_vertex[small]
    known = look_up(places, surface.normals[small], discs.take(firm))[0] > 0
    sparse = discs.radii[discs.index.query(places, 1)[1][:, 0]] > SPARSE_RADII * median(discs.radii)
    size, on_known, on_sparse = (of_vertex[chosen].bincount(minlength=number) for chosen in (..., known, sparse))
    keep = (on_known >= FIRM_SHARE * size) | (on_sparse < SPARSE_SHARE * size)
    return keep_faces(surface, keep[piece])


def look_up(vertices: Tensor, normals: Tensor, discs: Discs) -> tuple[Tensor, Tensor | None]:
    """How many of its 8 nearest discs each vertex lies on (v,) int64, and its colours (v, 3) if the scan has any."""
    counts = torch.empty(len(vertices), dtype=torch.int64, device=vertices.device)
    colors = None if discs.colors is None else torch.empty_like(vertices, dtype=torch.uint8)
    for part, near in in_chunks(vertices, normals, discs, NEIGHBOURS):
        counts[part] = discs_under(near, discs)
        if colors is not None:
            colors[part] = scan_colors(near, discs)
    return counts, colors


def discs_under(near: Neighbours, discs: Discs) -> Tensor:
    """How many of the discs of its nearest points each place lies on: (m,) int64.

    A place lies on a disc if it is within the disc's radius along it, within its half thickness across it, and its
    normal is within 60 degrees of the disc's. A sheet that closes a gap leaves the discs at once, because it turns
    away from them.

    Args:
        near: places and their `NEIGHBOURS` nearest points.
        discs: those of the scan.
    """
    along = (near.gap.square() - near.across.square()).clamp_(min=0.0).sqrt_()
    on = (along <= discs.radii[near.index]) & (near.across <= discs.thickness[near.index])
    return (on & (near.cosine >= MIN_COSINE)).sum(1)


def bridges_gap(vertices: Tensor, normals: Tensor, discs: Discs, gap_spacings: float) -> Tensor:
    """(v,) bool: vertices in small gaps of the scan, such as those between two lines of a rotating scanner.

    Such a vertex has points around it on every side (no open angle above 150 degrees) within ``gap_spacings`` median
    spacings, all of them with discs that it continues: in their plane to within the noise, and facing the same way.

    Args:
        vertices: (v, 3) places to judge.
        normals: (v, 3) their unit normals.
        discs: those of the scan.
        gap_spacings: how far points count, in median spacings; 0 bridges nothing.
    """
    bridged = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
    if gap_spacings <= 0 or len(vertices) == 0:
        return bridged
    even = discs.take(even_subset(discs.index.points, GAP_THINNING * discs.spacing))
    for part, near in in_chunks(vertices, normals, even, GAP_NEIGHBOURS):
        on = (near.gap <= gap_spacings * discs.spacing) & (near.across <= even.thickness[near.index])
        on &= near.cosine >= MIN_COSINE
        several = (on.sum(1) >= 3).nonzero()[:, 0]
        angle = _open_angle(near.toward[several], normals[part][several], on[several])
        bridged[several + part.start] = angle <= MAX_OPEN_ANGLE
    return bridged


def relax_over_mesh(faces: Tensor, values: Tensor, rounds: int = RELAXATIONS) -> Tensor:
    """Averages vertex values (v, k) with their neighbours' mean a few times; a threshold then cuts smoothly.

    A neighbour counts once for each face (f, 3) that it shares with the vertex: twice, except along the mesh's border.
    """
    size = len(values)
    around = sum_at_corners(faces, torch.ones(len(faces), dtype=values.dtype, device=values.device), size)
    relaxed = []
    for column in values.T:
        for _ in range(rounds):
            a, b, c = (column[corner] for corner in faces.T)
            ring = sum_at_corners(faces, a + b + c, size) - around * column
            column = 0.5 * column + 0.5 * ring / (2.0 * around).clamp(min=1.0)
        relaxed.append(column)
    return torch.stack(relaxed, dim=1)


def _open_angle(directions: Tensor, normals: Tensor, counted: Tensor) -> Tensor:
    """Largest angle (m,) free of counted directions (m, k, 3), at least one each, around axes (m, 3)."""
    x_axis, y_axis, _ = torch.eye(3, dtype=normals.dtype, device=normals.device)
    side = torch.where(normals[:, :1].abs() < 0.7, x_axis, y_axis)
    u = torch.linalg.cross(normals, side)
    v = torch.linalg.cross(normals, u)
    angle = torch.atan2(dot(directions, v[:, None]), dot(directions, u[:, None]))
    first = torch.where(counted, angle, torch.inf).amin(1, keepdim=True)
    once_more = first + 2.0 * math.pi
    ordered = torch.where(counted, angle, once_more).sort(dim=1).values
    return torch.cat((ordered, once_more), dim=1).diff(dim=1).amax(1)
