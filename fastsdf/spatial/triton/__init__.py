# SPDX-License-Identifier: MIT
"""Triton kernels of the modules of `fastsdf.spatial` with the same names; imported only where triton runs."""
