# SPDX-License-Identifier: MIT
"""Fewer faces by quadric edge collapses. The only place that imports fast-simplification, which is optional."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.spatial.knn import point_index
from fastsdf.system.optional_import import needed_for

MIN_FACES = 4


def decimate(mesh: TriangleMesh, max_faces: int) -> TriangleMesh:
    """The mesh with at most about ``max_faces`` faces; one that has no more is returned as it is.

    Edges collapse where that changes the shape least (Garland & Heckbert 1997), so flat walls get few, large faces.
    Each new vertex takes the normal, colour and attributes of the nearest old one.

    Args:
        mesh: any mesh.
        max_faces: at least 4.

    Raises:
        InputError: ``max_faces`` is too small, or fast-simplification is not installed.
    """
    simplify = check_decimation(max_faces)
    if len(mesh.faces) <= max_faces:
        return mesh
    centre = mesh.vertices.mean(axis=0)
    vertices, faces = simplify(mesh.vertices - centre, mesh.faces.astype(np.int32), target_count=int(max_faces))
    vertices, faces = np.asarray(vertices, np.float64) + centre, np.asarray(faces, np.int64)
    _, nearest = point_index(torch.as_tensor(mesh.vertices)).query(torch.as_tensor(vertices), 1)
    old = mesh.take(nearest[:, 0].numpy(), faces)
    used, proper = np.unique(faces[(faces != faces[:, [1, 2, 0]]).all(axis=1)], return_inverse=True)
    whole = TriangleMesh(vertices, faces, old.normals, old.colors, old.attributes)
    return whole.take(used, proper.reshape(-1, 3))


def check_decimation(max_faces: int) -> Callable[..., Any]:
    """The function that reduces meshes.

    Raises:
        InputError: ``max_faces`` is too small, or fast-simplification is not installed.
    """
    if max_faces < MIN_FACES:
        raise InputError(f"the most faces to keep are {max_faces}; give at least {MIN_FACES}")
    how = "pip install fast-simplification, or extract with a larger voxel size"
    with needed_for("reducing faces needs fast-simplification", how):
        from fast_simplification import simplify
    return simplify
