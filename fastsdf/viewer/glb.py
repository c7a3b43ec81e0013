# SPDX-License-Identifier: MIT
"""A coloured mesh as binary glTF, made for a browser: colours as they are, without lamps."""

from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb

UNLIT = "KHR_materials_unlit"
_LIGHT = "_light"  # trimesh writes colours in 8 bits, and attributes of other names in float32


def mesh_glb(vertices: np.ndarray, faces: np.ndarray, light: np.ndarray, two_sided: bool = False) -> bytes:
    """The GLB file of a mesh.

    Args:
        vertices: (v, 3) in the frame of the browser.
        faces: (f, 3) indices, counter-clockwise from the front.
        light: (v, 3) linear (`fastsdf.viewer.light.before_tone_mapping`).
        two_sided: draw the backs of faces too.
    """

    def without_lamps(tree: dict[str, Any]) -> None:
        (primitive,) = tree["meshes"][0]["primitives"]
        primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop(_LIGHT)
        primitive["material"] = 0
        tree["materials"] = [{"extensions": {UNLIT: {}}, "doubleSided": two_sided}]
        tree["extensionsUsed"] = [UNLIT]

    mesh = trimesh.Trimesh(vertices, faces, vertex_attributes={_LIGHT: light.astype(np.float32)}, process=False)
    return export_glb(trimesh.Scene(mesh), include_normals=False, tree_postprocessor=without_lamps)
