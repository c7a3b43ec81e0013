# SPDX-License-Identifier: MIT
"""Finds the open edges of triangle meshes and tests whether a mesh is closed."""

import torch
from torch import Tensor


def edge_keys(faces: Tensor, num_vertices: int) -> Tensor:
    """Keys ``low * num_vertices + high`` (f, 3) of the edges of each face (f, 3): corners 0-1, 1-2, 2-0."""
    other = faces.roll(-1, dims=1)
    return torch.minimum(faces, other) * num_vertices + torch.maximum(faces, other)


def open_edges(faces: Tensor, num_vertices: int) -> Tensor:
    """Sorted keys of the edges that belong to exactly one of the faces (f, 3)."""
    keys, counts = edge_keys(faces, num_vertices).unique(return_counts=True)
    return keys[counts == 1]


def is_closed(faces: Tensor) -> bool:
    """Whether every edge of the faces (f, 3) joins exactly two faces, which traverse it in opposite directions."""
    if len(faces) == 0:
        return False
    size = int(faces.max()) + 1
    start, end = faces.flatten(), faces.roll(-1, dims=1).flatten()
    forward, back = (start * size + end).sort().values, (end * size + start).sort().values
    return bool((forward[1:] != forward[:-1]).all()) and torch.equal(forward, back)
