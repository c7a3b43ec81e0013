# SPDX-License-Identifier: MIT
"""Runs the Triton kernels of the encoding on the CPU and saves the results.

``python -m tests.helpers.interpreted_triton OUT.pt`` is a separate program, because TRITON_INTERPRET=1 must be set
before triton is first imported.
"""

import sys

import torch

from fastsdf.field.backends.triton_gpu import TritonBackend
from tests.helpers.encoding_cases import encode_and_gradient, grid_with, points

CASES = [(count, features, levels) for count in (0, 1, 333) for features in (2, 4) for levels in (2, 5)]


def main(out: str) -> None:
    """Saves {(count, features, levels): (features, gradient)}."""
    results = {}
    for count, features, levels in CASES:
        x = points(count, low=-0.2, high=1.2)
        results[count, features, levels] = encode_and_gradient(
            TritonBackend(), x, grid_with(features), levels, torch.float32
        )
    torch.save(results, out)


if __name__ == "__main__":
    main(sys.argv[1])
