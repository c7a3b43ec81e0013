# SPDX-License-Identifier: MIT
"""Who computes the hash-grid encoding: torch (the definition), numba, Triton or tiny-cuda-nn.

In: points and the table of entries. Out: features, the same from every backend. Start reading at `torch_reference`.
"""
