# SPDX-License-Identifier: MIT
"""What lies beside a mesh file: the motion from the scan's coordinates to the file's."""

import json
from pathlib import Path

import numpy as np

from fastsdf.io.atomic import atomic_path


def transform_path(path: Path) -> Path:
    """Where the motion of a mesh file is kept: ``room.obj`` -> ``room.obj.transform.json``."""
    return path.with_name(path.name + ".transform.json")


def write_transform(matrix: np.ndarray | None, path: Path) -> None:
    """Write the motion (4, 4) of a mesh file beside it; without one, that of an older mesh is removed.

    Args:
        matrix: file coordinates = matrix @ (x, y, z, 1) of the scan's coordinates in metres.
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
