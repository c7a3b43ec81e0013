# SPDX-License-Identifier: MIT
"""Decides which part of a mesh the scan measured, from the local point spacing and the scan's noise."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.meshing.attributes import CONFIDENCE, scan_colors, with_support
from fastsdf.meshing.border import smooth_border
from fastsdf.meshing.components import components, keep_faces, sum_at_corners
from fastsdf.meshing.confidence import features, load_confidence_network
from fastsdf.meshing.discs import MIN_COSINE, NEIGHBOURS, Discs, in_chunks
from fastsdf.meshing.lattice import Field
from fastsdf.meshing.surface import Surface
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.voxel_downsample import even_subset

GAP_NEIGHBOURS = 24  # thinned points around a vertex that are searched for the rim of a gap; chosen, not swept
GAP_THINNING = 1.5  # median spacings between thinned points, so that dense scan lines do not fill the neighbours
MAX_OPEN_ANGLE = math.radians(150.0)  # a vertex on the outer border of the scan has 180; chosen, not swept
RELAXATIONS = 2  # rounds of averaging; two instead of four were chosen (docs/notebook/2026-11-27-confidence.md)
PIECE_CONFIDENCE = 0.4  # smallest mean confidence of a piece; its effect is measured there too
TIE = 1e-9  # tolerance for the order of summation at the threshold


def rate_vertices(
    surface: Surface, discs: Discs, sdf: Field, min_confidence: float, gap_spacings: float
) -> tuple[Surface, Tensor]:
    """Adds confidence, measured and the scan's colours to a mesh, and rates how well the scan supports each vertex.

    Args:
        surface: mesh with vertex normals.
        discs: discs of the scan, on the mesh's device.
        sdf: the field of the mesh, world points (n, 3) -> (n,).
        min_confidence: smallest confidence of a vertex that counts as measured.
        gap_spacings: width of gaps that are bridged, in median spacings.

    Returns:
        The mesh with the attributes of `fastsdf.meshing.attributes.with_support` and, if the scan has colours, colours;
        and (v,) float64 values, at least 0 for vertices that are measured or bridge a small gap, with a smooth border
        where they are 0.
    """
    assert surface.normals is not None
    confidence, colors = confidence_and_colors(surface.vertices, surface.normals, discs, sdf)
    weak = (confidence < min_confidence).nonzero()[:, 0]
    bridged = bridges_gap(surface.vertices[weak], surface.normals[weak], discs, gap_spacings)
    supported = confidence.index_fill(0, weak[bridged], 1.0)
    threshold = min_confidence - TIE
    margins = relax_over_mesh(surface.faces, torch.stack((confidence, supported), dim=1)) - threshold
    measured, kept = (smooth_border(surface.faces, margin) for margin in margins.T)
    return with_support(replace(surface, colors=colors), confidence, measured >= 0), kept


def drop_doubtful_pieces(surface: Surface) -> Surface:
    """Drops connected pieces whose mean confidence is below `PIECE_CONFIDENCE`; the largest piece always stays.

    A piece around a few outliers consists of doubtful vertices only, even if each is confident enough to be kept; a
    real thin part also has vertices of high confidence.

    Args:
        surface: mesh with the attribute confidence (`rate_vertices`).
    """
    if len(surface.faces) == 0:
        return surface
    count, piece = components(surface.faces, len(surface.vertices))
    size, of_face = piece.bincount(minlength=count), surface.attributes[CONFIDENCE].double()[surface.faces].mean(1)
    keep = torch.zeros_like(size, dtype=torch.float64).index_add_(0, piece, of_face) >= PIECE_CONFIDENCE * size
    keep[size.argmax()] = True
    return keep_faces(surface, keep[piece])


def confidence_and_colors(vertices: Tensor, normals: Tensor, discs: Discs, sdf: Field) -> tuple[Tensor, Tensor | None]:
    """Confidence (v,) float64 of vertices (`fastsdf.meshing.confidence`), and colours (v, 3) if the scan has any."""
    confidence, network = torch.empty_like(vertices[:, 0]), load_confidence_network(vertices.device)
    colors = None if discs.colors is None else torch.empty_like(vertices, dtype=torch.uint8)
    for part, near in in_chunks(vertices, normals, discs, NEIGHBOURS):
        confidence[part] = network(features(vertices[part], normals[part], near, discs, sdf)).double()
        if colors is not None:
            colors[part] = scan_colors(near, discs)
    return confidence, colors


def bridges_gap(vertices: Tensor, normals: Tensor, discs: Discs, gap_spacings: float) -> Tensor:
    """(v,) bool: True for vertices in small gaps of the scan, such as between two lines of a rotating scanner.

    Points around such a vertex leave no angle above `MAX_OPEN_ANGLE` open. A point counts if it lies within
    ``gap_spacings`` median spacings and the vertex continues its disc: the vertex lies in the disc's plane to within
    the noise, and the normals are parallel to within 60 degrees.

    Args:
        vertices: (v, 3) positions.
        normals: (v, 3) unit normals of the vertices.
        discs: discs of the scan.
        gap_spacings: largest distance of points that count, in median spacings; 0 bridges nothing.
    """
    bridged = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
    if gap_spacings <= 0 or len(vertices) == 0:
        return bridged
    even = discs.take(even_subset(discs.index.points, GAP_THINNING * discs.spacing))
    for part, near in in_chunks(vertices, normals, even, GAP_NEIGHBOURS):
        on = (near.gap <= gap_spacings * discs.spacing) & (near.across <= even.thickness[near.index])
        on &= near.cosine >= MIN_COSINE
        several = (on.sum(1) >= 3).nonzero()[:, 0]  # two points always leave 180 degrees open
        angle = _open_angle(near.toward[several], normals[part][several], on[several])
        bridged[several + part.start] = angle <= MAX_OPEN_ANGLE
    return bridged


def relax_over_mesh(faces: Tensor, values: Tensor, rounds: int = RELAXATIONS) -> Tensor:
    """Averages vertex values (v, k) with the mean of their neighbours, so that a threshold gives smooth borders.

    A neighbour counts once for each of the faces (f, 3) that it shares with the vertex: twice, except at the border.
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
    """Largest angle (m,) around axes (m, 3) without counted directions (m, k, 3), at least one per row, in radians."""
    x_axis, y_axis, _ = torch.eye(3, dtype=normals.dtype, device=normals.device)
    side = torch.where(normals[:, :1].abs() < 0.7, x_axis, y_axis)
    u = torch.linalg.cross(normals, side)
    v = torch.linalg.cross(normals, u)
    angle = torch.atan2(dot(directions, v[:, None]), dot(directions, u[:, None]))
    first = torch.where(counted, angle, torch.inf).amin(1, keepdim=True)
    once_more = first + 2.0 * math.pi
    ordered = torch.where(counted, angle, once_more).sort(dim=1).values
    return torch.cat((ordered, once_more), dim=1).diff(dim=1).amax(1)
