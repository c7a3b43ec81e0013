# SPDX-License-Identifier: MIT
"""A coloured mesh as binary glTF, made for a browser: colours as they are, without lamps."""

import json
import struct
from typing import Any, NamedTuple

import numpy as np

MAGIC, VERSION, JSON_CHUNK, BINARY_CHUNK = b"glTF", 2, b"JSON", b"BIN\0"
FLOAT32, UINT32 = 5126, 5125
VERTEX_BUFFER, INDEX_BUFFER = 34962, 34963
UNLIT = "KHR_materials_unlit"


class _Column(NamedTuple):
    """An array of the file and what glTF calls it."""

    values: np.ndarray
    component: int
    kind: str
    target: int


def mesh_glb(vertices: np.ndarray, faces: np.ndarray, light: np.ndarray, two_sided: bool = False) -> bytes:
    """The GLB file of a mesh.

    Args:
        vertices: (v, 3) in the frame of the browser.
        faces: (f, 3) indices, counter-clockwise from the front.
        light: (v, 3) linear (`fastsdf.viewer.light.before_tone_mapping`).
        two_sided: draw the backs of faces too.
    """
    columns = (
        _Column(np.ascontiguousarray(vertices, np.float32), FLOAT32, "VEC3", VERTEX_BUFFER),
        _Column(np.ascontiguousarray(light, np.float32), FLOAT32, "VEC3", VERTEX_BUFFER),
        _Column(np.ascontiguousarray(faces, np.uint32).reshape(-1), UINT32, "SCALAR", INDEX_BUFFER),
    )
    return _file(_description(columns, two_sided), b"".join(column.values.tobytes() for column in columns))


def _description(columns: tuple[_Column, ...], two_sided: bool) -> dict[str, Any]:
    """What the file says about its binary part."""
    views, accessors, start = [], [], 0
    for number, (values, component, kind, target) in enumerate(columns):
        views.append({"buffer": 0, "byteOffset": start, "byteLength": values.nbytes, "target": target})
        accessors.append({"bufferView": number, "componentType": component, "count": len(values), "type": kind})
        start += values.nbytes
    places = columns[0].values
    accessors[0] |= {"min": places.min(0).tolist(), "max": places.max(0).tolist()}
    primitive = {"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2, "material": 0}
    return {
        "asset": {"version": "2.0"},
        "extensionsUsed": [UNLIT],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"extensions": {UNLIT: {}}, "doubleSided": two_sided}],
        "buffers": [{"byteLength": start}],
        "bufferViews": views,
        "accessors": accessors,
    }


def _file(description: dict[str, Any], binary: bytes) -> bytes:
    """The two chunks with their headers; all arrays are multiples of four bytes long."""
    text = json.dumps(description).encode()
    text += b" " * (-len(text) % 4)
    parts = (text, JSON_CHUNK), (binary, BINARY_CHUNK)
    chunks = b"".join(struct.pack("<I4s", len(part), kind) + part for part, kind in parts)
    return struct.pack("<4sII", MAGIC, VERSION, 12 + len(chunks)) + chunks
