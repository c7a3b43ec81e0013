# SPDX-License-Identifier: MIT
"""Which part of a mesh the scan has measured, judged against each point's own spacing and the scan's noise."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from fastsdf.meshing.attributes import CONFIDENCE, scan_colors, with_support
from fastsdf.meshing.components import components, keep_faces, sum_at_corners
from fastsdf.meshing.confidence import features, load_confidence_network
from fastsdf.meshing.discs import MIN_COSINE, NEIGHBOURS, Discs, in_chunks
from fastsdf.meshing.lattice import Field
from fastsdf.meshing.surface import Surface
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.voxel_downsample import even_subset

GAP_NEIGHBOURS = 24
GAP_THINNING = 1.5
MAX_OPEN_ANGLE = math.radians(150.0)
RELAXATIONS = 2
PIECE_CONFIDENCE = 0.4
TIE = 1e-9


def rate_vertices(
    surface: Surface, discs: Discs, sdf: Field, min_confidence: float, gap_spacings: float
) -> tuple[Surface, Tensor]:
    """The mesh with confidence, measured and the scan's colours, and which of its vertices the scan supports.

    Args:
        surface: with vertex normals.
        discs: those of the scan, on the mesh's device.
        sdf: the field that the mesh is of, world points (n, 3) -> (n,).
        min_confidence: of a vertex that counts as measured.
        gap_spacings: width of gaps that are bridged, in median spacings.

    Returns:
        The mesh with its attributes (`fastsdf.meshing.attributes.with_support`) and, if the scan has them, colours;
        and (v,) bool, True for vertices that are measured or bridge a small gap.
    """
    assert surface.normals is not None
    confidence, colors = look_up(surface.vertices, surface.normals, discs, sdf)
    weak = (confidence < min_confidence).nonzero()[:, 0]
    bridged = bridges_gap(surface.vertices[weak], surface.normals[weak], discs, gap_spacings)
    supported = confidence.index_fill(0, weak[bridged], 1.0)
    least = min_confidence - TIE  # counts as supported, whatever the order of summation
    kept = relax_over_mesh(surface.faces, torch.stack((confidence, supported), dim=1)) >= least
    return with_support(replace(surface, colors=colors), confidence, kept[:, 0]), kept[:, 1]


def drop_doubtful_pieces(surface: Surface) -> Surface:
    """The mesh without connected pieces whose mean confidence is below 0.4; the largest piece always stays.

    Vertices in the air about some outliers may each be likely enough, but they are all that such a piece has, whereas a
    thin part has places that are certain.

    Args:
        surface: with confidence (`rate_vertices`).
    """
    if len(surface.faces) == 0:
        return surface
    count, piece = components(surface.faces, len(surface.vertices))
    size, of_face = piece.bincount(minlength=count), surface.attributes[CONFIDENCE].double()[surface.faces].mean(1)
    keep = torch.zeros_like(size, dtype=torch.float64).index_add_(0, piece, of_face) >= PIECE_CONFIDENCE * size
    keep[size.argmax()] = True
    return keep_faces(surface, keep[piece])


def look_up(vertices: Tensor, normals: Tensor, discs: Discs, sdf: Field) -> tuple[Tensor, Tensor | None]:
    """Confidence (v,) float64 in vertices (`fastsdf.meshing.confidence`), and colours (v, 3) if the scan has any."""
    confidence, network = torch.empty_like(vertices[:, 0]), load_confidence_network(vertices.device)
    colors = None if discs.colors is None else torch.empty_like(vertices, dtype=torch.uint8)
    for part, near in in_chunks(vertices, normals, discs, NEIGHBOURS):
        confidence[part] = network(features(vertices[part], normals[part], near, discs, sdf)).double()
        if colors is not None:
            colors[part] = scan_colors(near, discs)
    return confidence, colors


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
