# SPDX-License-Identifier: MIT
"""Meshes as Wavefront OBJ text, a bounded number of lines at a time."""

from collections.abc import Iterator

import numpy as np

from fastsdf.scan import TriangleMesh

LINES = 1 << 16


def obj_text(mesh: TriangleMesh) -> Iterator[bytes]:
    """The parts of an OBJ file: vertices with colours (0..1) on their lines, normals, and faces; 6 decimals.

    Args:
        mesh: normals and colours are written when present.
    """
    yield b"# written by fastsdf\n"
    colors = () if mesh.colors is None else (mesh.colors / 255.0,)
    yield from _lines("v" + " %.6f" * (3 + 3 * len(colors)), mesh.vertices, *colors)
    corner = " %d"
    if mesh.normals is not None:
        yield from _lines("vn %.6f %.6f %.6f", mesh.normals)
        corner = " %d//%d"
    yield from _lines("f" + 3 * corner, np.repeat(mesh.faces + 1, corner.count("%"), axis=1))


def _lines(form: str, *columns: np.ndarray) -> Iterator[bytes]:
    """One line per row of arrays (n, k) side by side."""
    for start in range(0, len(columns[0]), LINES):
        rows = np.concatenate([values[start : start + LINES] for values in columns], axis=1)
        yield ((form + "\n") * len(rows) % tuple(rows.ravel().tolist())).encode("ascii")
