# SPDX-License-Identifier: MIT
"""Vertex attributes of a mesh: how well the scan supports each vertex, and its colour."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.meshing.discs import MIN_COSINE, Discs, Neighbours
from fastsdf.meshing.surface import Surface
from fastsdf.numerics.colormap import VIRIDIS, interpolate_colors

CONFIDENCE, MEASURED = "confidence", "measured"  # attribute names, also in mesh files


def with_support(surface: Surface, confidence: Tensor, measured: Tensor) -> Surface:
    """Adds the attributes ``confidence`` and ``measured`` to a mesh.

    Args:
        surface: any mesh.
        confidence: (v,) probability that a vertex lies on measured surface (`fastsdf.meshing.confidence`).
        measured: (v,) bool, whether the confidence suffices.

    Returns:
        The mesh with ``confidence`` (float32, 0 to 1) and ``measured`` (uint8; 0 where the surface bridges a gap or has
        no support).
    """
    added = {CONFIDENCE: confidence.float(), MEASURED: measured.to(torch.uint8)}
    return replace(surface, attributes={**surface.attributes, **added})


def scan_colors(near: Neighbours, discs: Discs) -> Tensor:
    """Colours (m, 3) uint8 of vertices: per channel the median over their nearest points.

    A point counts if the vertex lies within the radius of its disc and the normals are parallel to within 60 degrees,
    whichever way they point. Where no point counts (in gaps), the nearest point alone gives the colour. The median
    keeps edges and drops single wrong colours.

    Args:
        near: the 8 nearest discs of each vertex.
        discs: discs of the scan, with colours.
    """
    assert discs.colors is not None
    counted = (near.gap <= discs.radii[near.index]) & (near.cosine >= MIN_COSINE)
    counted[:, 0] |= ~counted.any(1)
    return _median(discs.colors[near.index], counted)


def color_by(mesh: TriangleMesh, source: str) -> TriangleMesh:
    """Returns the mesh with its colours replaced.

    Args:
        mesh: as extracted from a fitted field.
        source: ``scan`` (keeps the scan's colours), ``confidence`` (dark violet for 0 to yellow for 1) or ``normals``
            (x, y, z as red, green, blue; 128 is 0).

    Raises:
        InputError: if the source is unknown or the mesh lacks it.
    """
    check_color_source(source)
    colors = _COLORINGS[source](mesh)
    if colors is None:
        raise InputError(f"cannot colour by {source}: {_MISSING[source]}; known: {', '.join(_COLORINGS)}")
    return replace(mesh, colors=colors)


def check_color_source(source: str) -> None:
    """Raises InputError if `color_by` does not know a source."""
    if source not in _COLORINGS:
        raise InputError(f"cannot colour by '{source}'; known: {', '.join(_COLORINGS)}")


def _median(colors: Tensor, counted: Tensor) -> Tensor:
    """Median (m, 3) of the counted colours of (m, k, 3), at least one per row; the rounded mean of two middle ones."""
    past = 256  # above every colour, so that colours that do not count are sorted to the end
    ordered = torch.where(counted[..., None], colors.short(), past).sort(dim=1).values
    number = counted.sum(1)[:, None, None].expand(-1, 1, 3)
    low, high = (ordered.gather(1, rank)[:, 0] for rank in ((number - 1) // 2, number // 2))
    return ((low + high + 1) // 2).to(torch.uint8)


def _confidence_colors(mesh: TriangleMesh) -> np.ndarray | None:
    confidence = mesh.attributes.get(CONFIDENCE)
    if confidence is None:
        return None
    return interpolate_colors(confidence, VIRIDIS).round().astype(np.uint8)


def _normal_colors(mesh: TriangleMesh) -> np.ndarray | None:
    if mesh.normals is None:
        return None
    return np.clip(np.rint(127.5 + 127.5 * mesh.normals), 0, 255).astype(np.uint8)


# By the name that ``--color-by`` takes; and why a mesh may lack one.
_COLORINGS: dict[str, Callable[[TriangleMesh], np.ndarray | None]] = {
    "scan": lambda mesh: mesh.colors,
    "confidence": _confidence_colors,
    "normals": _normal_colors,
}
_MISSING = {
    "scan": "the scan has no colours (runs of older versions did not keep them: fit again)",
    "confidence": "the mesh has no confidence",
    "normals": "the mesh has no normals",
}
