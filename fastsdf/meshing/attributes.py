# SPDX-License-Identifier: MIT
"""What vertices carry beside their place: how well the scan supports them, and colours."""

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

CONFIDENCE, MEASURED = "confidence", "measured"


def with_support(surface: Surface, confidence: Tensor, measured: Tensor) -> Surface:
    """The mesh with two attributes that say how far it can be trusted.

    Args:
        surface: any mesh.
        confidence: (v,) that a vertex lies on real surface (`fastsdf.meshing.confidence`).
        measured: (v,) bool, enough of it.

    Returns:
        The mesh with ``confidence`` (float32, 0 to 1) and ``measured`` (uint8, 0 where surface bridges a gap or nothing
        supports it).
    """
    added = {CONFIDENCE: confidence.float(), MEASURED: measured.to(torch.uint8)}
    return replace(surface, attributes={**surface.attributes, **added})


def scan_colors(near: Neighbours, discs: Discs) -> Tensor:
    """Colours (m, 3) uint8 of places: per channel the median of the nearest points whose discs they lie over.

    Of the nearest points those count that lie within their disc's radius and face the place's way or the opposite one;
    where there is none (in gaps), the nearest point alone. The median keeps edges and drops single wrong colours.

    Args:
        near: places and their 8 nearest points.
        discs: those of the scan, with colours.
    """
    assert discs.colors is not None
    counted = (near.gap <= discs.radii[near.index]) & (near.cosine >= MIN_COSINE)
    counted[:, 0] |= ~counted.any(1)
    return _median(discs.colors[near.index], counted)


def color_by(mesh: TriangleMesh, source: str) -> TriangleMesh:
    """The mesh with its colours replaced.

    Args:
        mesh: as extracted from a fitted field.
        source: ``scan`` (the colours it has), ``confidence`` (dark violet 0 to yellow 1) or ``normals`` (x, y, z as
            red, green, blue; 128 is 0).

    Raises:
        InputError: if the source is unknown or the mesh does not have it.
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
    """Median (m, 3) of the counted ones, at least one, of colours (m, k, 3); the mean of two middle ones, rounded."""
    past = 256
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


_COLORINGS: dict[str, Callable[[TriangleMesh], np.ndarray | None]] = {
    "scan": lambda mesh: mesh.colors,
    "confidence": _confidence_colors,
    "normals": _normal_colors,
}
_MISSING = {
    "scan": "the scan has no colours (runs of older versions did not keep them; fit again)",
    "confidence": "the mesh has no confidence",
    "normals": "the mesh has no normals",
}
