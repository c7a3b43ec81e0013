# SPDX-License-Identifier: MIT
"""Runs the kernels for preparing a scan on the CPU and saves the results.

``python -m tests.helpers.interpreted_kernels OUT.pt`` is a separate program, because TRITON_INTERPRET=1 must be set
before triton is first imported.
"""

import sys

import torch

from fastsdf.spatial.bvh import BoxTreeIndex
from fastsdf.spatial.triton.distance_transform import chessboard_distance
from fastsdf.spatial.triton.ray_march import march
from tests.helpers.kernel_cases import neighbour_cases, occupied_voxels, rays


def main(out: str) -> None:
    """Saves {"neighbours": {case: (distances, indices)}, "chessboard": {grid: distances}, "march": lengths}."""
    neighbours = {
        name: BoxTreeIndex(torch.from_numpy(points)).query(torch.from_numpy(queries), count)
        for name, (points, queries, count) in neighbour_cases().items()
    }
    chessboard = {name: chessboard_distance(occupied) for name, occupied in occupied_voxels().items()}
    torch.save({"neighbours": neighbours, "chessboard": chessboard, "march": march(*rays(), 15.0)}, out)


if __name__ == "__main__":
    main(sys.argv[1])
