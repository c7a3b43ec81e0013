# SPDX-License-Identifier: MIT
"""Reduces the faces of a mesh by quadric edge collapse.

Only this module imports fast-simplification, which is optional.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.spatial.knn import point_index
from fastsdf.system.optional_import import needed_for

MIN_FACES = 4  # faces of a tetrahedron, the smallest closed mesh


def decimate(mesh: TriangleMesh, max_faces: int) -> TriangleMesh:
    """Reduces a mesh to about ``max_faces`` faces; a mesh with no more faces is returned unchanged.

    Edges collapse in the order of the error that this causes (Garland & Heckbert 1997, quadric error metrics), so flat
    walls get few, large faces. Each new vertex takes the normal, colour and attributes of the nearest old vertex.

    Args:
        mesh: any mesh.
        max_faces: target number of faces, at least 4.

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
    """Checks the target and returns the function that reduces meshes.

    Raises:
        InputError: ``max_faces`` is too small, or fast-simplification is not installed.
    """
    if max_faces < MIN_FACES:
        raise InputError(f"max_faces is {max_faces}; give at least {MIN_FACES}")
    advice = "pip install fast-simplification, or extract with a larger voxel size"
    with needed_for("reducing faces needs fast-simplification", advice):
        from fast_simplification import simplify
    return simplify
