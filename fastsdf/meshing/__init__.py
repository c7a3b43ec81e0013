# SPDX-License-Identifier: MIT
"""Extracts surfaces from a signed distance field, rates and cleans them.

Input: a field and the scan's points. Output: a `Surface`, or a mesh in numpy. Start reading at `extract`.
"""

from fastsdf.meshing.alignment import floor_alignment
from fastsdf.meshing.attributes import check_color_source, color_by
from fastsdf.meshing.components import drop_small_components, keep_faces, remove_unreferenced, vertex_normals
from fastsdf.meshing.decimation import check_decimation, decimate
from fastsdf.meshing.edges import is_closed
from fastsdf.meshing.extract import extract_surface
from fastsdf.meshing.holes import in_small_holes
from fastsdf.meshing.measured_part import drop_doubtful_pieces, rate_vertices
from fastsdf.meshing.smoothing import check_smoothing, smooth
from fastsdf.meshing.surface import Surface
from fastsdf.meshing.watertight import BoxClip, extract_watertight, scanned_pieces

__all__ = [
    "BoxClip",
    "Surface",
    "check_color_source",
    "check_decimation",
    "check_smoothing",
    "color_by",
    "decimate",
    "drop_doubtful_pieces",
    "drop_small_components",
    "extract_surface",
    "extract_watertight",
    "floor_alignment",
    "in_small_holes",
    "is_closed",
    "keep_faces",
    "rate_vertices",
    "remove_unreferenced",
    "scanned_pieces",
    "smooth",
    "vertex_normals",
]
