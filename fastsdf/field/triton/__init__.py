# SPDX-License-Identifier: MIT
"""Triton kernels of the field: encoding, network and their finite differences, forward and backward.

In: points and weights on a CUDA device. Out: u, gradient and Laplacian in one operation. Start reading at `fused`.
"""
