# SPDX-License-Identifier: MIT
"""Triton kernels for the modules of `fastsdf.spatial`; imported only where triton runs."""
