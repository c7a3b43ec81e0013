# SPDX-License-Identifier: MIT
"""Encodes a coloured mesh as binary glTF (GLB) with unlit colours, for a browser."""

from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb

UNLIT = "KHR_materials_unlit"  # glTF extension: the vertex colours are drawn without lighting
_LIGHT = "_light"  # name of a custom attribute; trimesh stores these in float32, but colours in 8 bits


def mesh_glb(vertices: np.ndarray, faces: np.ndarray, light: np.ndarray, two_sided: bool = False) -> bytes:
    """Encode a mesh as a GLB file.

    Args:
        vertices: (v, 3) in the browser's frame.
        faces: (f, 3) vertex indices, counter-clockwise as seen from the front.
        light: (v, 3) linear light (`fastsdf.viewer.light.before_tone_mapping`).
        two_sided: whether back faces are drawn.
    """

    def make_unlit(tree: dict[str, Any]) -> None:
        (primitive,) = tree["meshes"][0]["primitives"]
        primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop(_LIGHT)
        primitive["material"] = 0
        tree["materials"] = [{"extensions": {UNLIT: {}}, "doubleSided": two_sided}]
        tree["extensionsUsed"] = [UNLIT]

    mesh = trimesh.Trimesh(vertices, faces, vertex_attributes={_LIGHT: light.astype(np.float32)}, process=False)
    return export_glb(trimesh.Scene(mesh), include_normals=False, tree_postprocessor=make_unlit)
