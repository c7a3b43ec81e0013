# SPDX-License-Identifier: MIT
"""Extracts the whole zero set within a box as a closed surface, by clipping the field at the box."""

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fastsdf.errors import MeshingError
from fastsdf.meshing.components import components, keep_faces
from fastsdf.meshing.edges import is_closed
from fastsdf.meshing.extract import extract_surface
from fastsdf.meshing.lattice import Field
from fastsdf.meshing.surface import Surface

logger = logging.getLogger(__name__)

SLOPES = (2.0, 4.0, 8.0, 16.0)  # assumed bounds on the field's slope, tried in turn until the surface is closed
COARSE_VOXELS = 8  # voxels; edge of the cubes that are searched for, the default of `extract_surface`
FIRST_CUBES = 32  # cubes along the longest edge of the box at most, where the search begins
CHUNK = 1 << 18  # cubes per call of the field; chosen to bound memory


class BoxClip(NamedTuple):
    """A box that closes the surface: beyond its faces everything is solid, or everything is air.

    Attributes:
        lower, upper: (3,) float64 corners in world coordinates.
        solid_outside: True if everything outside is solid (rooms), False if everything outside is air (objects).
    """

    lower: Tensor
    upper: Tensor
    solid_outside: bool

    def values(self, sdf: Field) -> Field:
        """Returns the field clipped at the box, (n, 3) world points -> (n,); its slope is at most the field's or 1."""

        def clipped(points: Tensor) -> Tensor:
            box = self._box(points)
            return torch.minimum(sdf(points), box) if self.solid_outside else torch.maximum(sdf(points), -box)

        return clipped

    def gradient(self, sdf: Field, gradient: Field) -> Field:
        """Returns the gradient of `values`: that of the field, or the box normal where a box face is the surface."""

        def clipped(points: Tensor) -> Tensor:
            sign = 1.0 if self.solid_outside else -1.0
            on_box = self._box(points) < sign * sdf(points)
            return torch.where(on_box[:, None], sign * self._inward(points), gradient(points))

        return clipped

    def _box(self, points: Tensor) -> Tensor:
        """(n,) distance to the nearest face plane of the box, positive inside."""
        return torch.minimum(points - self.lower, self.upper - points).amin(dim=1)

    def _inward(self, points: Tensor) -> Tensor:
        """(n, 3) unit normals, pointing into the box, of the face plane nearest to each point."""
        to_planes = torch.cat((points - self.lower, self.upper - points), dim=1)
        planes = torch.cat((torch.eye(3), -torch.eye(3))).to(points)
        return planes[to_planes.argmin(dim=1)]


def extract_watertight(sdf: Field, gradient: Field, clip: BoxClip, voxel_size: float) -> Surface:
    """Extracts the whole closed zero set of the clipped field.

    Args:
        sdf: world points (n, 3) float64 -> (n,) signed distances in world units.
        gradient: world points (n, 3) -> (n, 3), for vertex normals.
        clip: the box at which the field is clipped.
        voxel_size: lattice spacing in world units, > 0.

    Raises:
        InputError: the lattice would be too large for this voxel size.
        MeshingError: the box contains no surface, or the field is so steep that the surface does not close.
    """
    clipped, normals = clip.values(sdf), clip.gradient(sdf, gradient)
    edge = COARSE_VOXELS * voxel_size
    for slope in SLOPES:
        seeds = cubes_near_surface(clipped, clip.lower - voxel_size, clip.upper + voxel_size, edge, slope)
        surface = extract_surface(
            clipped,
            seeds,
            voxel_size=voxel_size,
            support_distance=edge * math.sqrt(0.75),
            gradient=normals,
            lipschitz=slope,
            coarse_factor=COARSE_VOXELS,
        )
        if is_closed(surface.faces):
            return surface
        logger.info("the surface is not closed for a slope of %g", slope)
    raise MeshingError(
        f"the surface does not close: the field is steeper than {SLOPES[-1]:g} somewhere; train longer (--steps), or "
        "extract with a larger voxel size"
    )


def cubes_near_surface(
    sdf: Callable[[Tensor], Tensor], lower: Tensor, upper: Tensor, edge: float, slope: float, band: float = 0.0
) -> Tensor:
    """Centres (m, 3) of the cubes of a box that may hold surface, found by halving large cubes.

    Args:
        sdf: world points (n, 3) float64 -> (n,) values.
        lower, upper: (3,) float64 corners of the box; the first cube starts at ``lower``, the last may end past
            ``upper``.
        edge: edge length of the cubes, world units.
        slope: upper bound on the field's slope.
        band: distance from the surface, world units, within which all cubes are returned too.

    Raises:
        MeshingError: no cube is near the surface.
    """
    halvings = max(math.ceil(math.log2(max(float((upper - lower).max()) / (edge * FIRST_CUBES), 1.0))), 0)
    size = edge * 2**halvings
    counts = torch.ceil((upper - lower) / size).clamp(min=1).long().tolist()
    index = torch.cartesian_prod(*(torch.arange(n, device=lower.device) for n in counts))
    octants = torch.cartesian_prod(*[torch.arange(2, device=lower.device)] * 3)
    for level in range(halvings + 1):
        if level:
            index, size = (2 * index[:, None] + octants).view(-1, 3), size / 2
            index = index[(lower + index * size < upper).all(dim=1)]
        limit = slope * (size * math.sqrt(0.75) + band)
        parts = index.split(CHUNK)
        index = torch.cat([part[sdf(lower + (part + 0.5) * size).abs() <= limit] for part in parts])
    if len(index) == 0:
        raise MeshingError("the field has no surface in its box: check --scene (object or room), or train longer")
    return lower + (index + 0.5) * size


def scanned_pieces(surface: Surface, measured: Tensor) -> Surface:
    """Keeps the connected pieces with a measured vertex; a closed mesh stays closed.

    Args:
        surface: any mesh.
        measured: (v,) bool.

    Raises:
        MeshingError: no piece has a measured vertex.
    """
    number, piece = components(surface.faces, len(surface.vertices))
    scanned = torch.zeros(number, dtype=torch.bool, device=piece.device)
    scanned[piece[measured[surface.faces].any(dim=1)]] = True
    if not scanned.any():
        raise MeshingError("no part of the surface is supported by the scan; train longer (--steps)")
    return keep_faces(surface, scanned[piece])
