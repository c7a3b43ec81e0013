# SPDX-License-Identifier: MIT
"""fastsdf: large indoor point clouds to clean meshes with a hash-grid SDF trained under a viscosity schedule."""

__version__ = "0.1.0"
