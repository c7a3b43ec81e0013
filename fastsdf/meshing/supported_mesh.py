# SPDX-License-Identifier: MIT
"""From a field to the mesh that the scan supports, as a recipe: extract, rate, cut, drop what is small."""

import numpy as np
import torch

from fastsdf.config.models import MeshConfig
from fastsdf.errors import MeshingError
from fastsdf.meshing.border import cut_at_level
from fastsdf.meshing.components import drop_small_components
from fastsdf.meshing.discs import Discs, make_discs
from fastsdf.meshing.extract import extract_surface
from fastsdf.meshing.holes import in_small_holes
from fastsdf.meshing.lattice import Field
from fastsdf.meshing.measured_part import drop_doubtful_pieces, rate_vertices
from fastsdf.meshing.surface import Surface
from fastsdf.meshing.watertight import BoxClip, extract_watertight, scanned_pieces
from fastsdf.prepare.prepared_scan import Support


def supported_mesh(sdf: Field, gradient: Field, support: Support, clip: BoxClip, config: MeshConfig) -> Surface:
    """The part of a field's zero set that the scan supports, on the device of ``clip``.

    Args:
        sdf: world points (n, 3) float64 -> (n,) signed distances in world units, positive in free space.
        gradient: world points (n, 3) -> (n, 3), for vertex normals.
        support: the scan's points in the world frame.
        clip: the box where the field was trained.
        config: resolved settings (no value left to choose).

    Raises:
        MeshingError: if there is no zero crossing near the scan, or none of it is supported; or the field is too steep
            for a watertight mesh.
    """
    assert config.voxel_size_m is not None and config.min_component_area_m2 is not None
    # 1. The scan's points become discs: as wide as the local spacing, as thick as the noise.
    discs = make_discs(support, config.support_spacings, config.support_sigmas, clip.lower.device)
    # 2. Marching cubes near the points, or in the whole box for a watertight mesh.
    surface = _extract(sdf, gradient, support, discs, clip, config)
    # 3. Every vertex gets a confidence; those that are sure enough, or bridge a small gap, are supported.
    min_confidence = config.min_confidence or MeshConfig().min_confidence
    surface, margin = rate_vertices(surface, discs, sdf, min_confidence, config.gap_spacings)
    # 4. Surface without support is cut off along smooth borders, except in holes that are to be closed.
    surface = _cut(surface, margin, config)
    # 5. Small pieces go, too.
    return drop_small_components(surface, min_area=config.min_component_area_m2)


def _extract(sdf: Field, gradient: Field, support: Support, discs: Discs, clip: BoxClip, config: MeshConfig) -> Surface:
    assert config.voxel_size_m is not None
    if config.watertight:
        return extract_watertight(sdf, gradient, clip, config.voxel_size_m)
    bridged = config.gap_spacings * support.median_spacing
    reach = np.maximum(support.radii(config.support_spacings), max(bridged, config.close_holes_m))
    return extract_surface(
        sdf,
        discs.index.points,
        voxel_size=config.voxel_size_m,
        support_distance=torch.as_tensor(reach, device=clip.lower.device),
        gradient=gradient,
    )


def _cut(surface: Surface, margin: torch.Tensor, config: MeshConfig) -> Surface:
    """The part with a support margin (v,) of at least 0, and small holes; all of it if nothing is to be cut."""
    if config.watertight:
        return scanned_pieces(surface, margin >= 0)
    if config.min_confidence == 0:
        return surface
    if config.close_holes_m > 0:
        closing = in_small_holes(surface, (margin >= 0)[surface.faces].all(dim=1), config.close_holes_m)
        margin = margin.index_fill(0, surface.faces[closing].flatten(), 1.0)
    kept = cut_at_level(surface, margin)
    if len(kept.faces) == 0:
        advice = "train longer (--steps), or keep everything with --set mesh.min_confidence=0"
        raise MeshingError(f"no part of the surface is supported by the scan; {advice}")
    return drop_doubtful_pieces(kept)
