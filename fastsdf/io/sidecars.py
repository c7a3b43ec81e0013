# SPDX-License-Identifier: MIT
"""Sidecar files of meshes that hold the transformation from the coordinates of the scan to those of the file."""

import json
from pathlib import Path

import numpy as np

from fastsdf.io.atomic import atomic_path


def transform_path(path: Path) -> Path:
    """The file that holds the transformation of a mesh file: ``room.obj`` -> ``room.obj.transform.json``."""
    return path.with_name(path.name + ".transform.json")


def write_transform(matrix: np.ndarray | None, path: Path) -> None:
    """Write the sidecar file of a mesh, or remove that of an older mesh.

    Args:
        matrix: (4, 4) transformation: file coordinates = matrix @ (x, y, z, 1), with x, y, z of the scan in metres.
            None if the mesh is not transformed.
        path: the mesh file.

    Raises:
        InputError: the file cannot be written.
    """
    sidecar = transform_path(path)
    if matrix is None:
        sidecar.unlink(missing_ok=True)
        return
    content = {"maps": "scan coordinates in metres to file coordinates, columns", "matrix": matrix.tolist()}
    with atomic_path(sidecar) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
