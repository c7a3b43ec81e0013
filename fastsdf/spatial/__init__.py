# SPDX-License-Identifier: MIT
"""Spatial data structures over points: nearest neighbours, voxels and rays.

In: points (n, 3) on a device. Out: neighbours, occupied voxels, free lengths of rays. Start reading at `knn`.
"""
