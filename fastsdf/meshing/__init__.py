# SPDX-License-Identifier: MIT
"""Surface extraction from a signed distance field, and mesh cleaning."""

from fastsdf.meshing.clean import drop_small_components, keep_faces, remove_unreferenced, vertex_normals
from fastsdf.meshing.sparse import extract_surface

__all__ = ["drop_small_components", "extract_surface", "keep_faces", "remove_unreferenced", "vertex_normals"]
