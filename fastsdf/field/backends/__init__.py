# SPDX-License-Identifier: MIT
"""Computes the hash-grid encoding: by torch (the reference), numba, Triton or tiny-cuda-nn.

In: points and the table of entries. Out: features, the same from every backend. Start reading at `torch_reference`.
"""
