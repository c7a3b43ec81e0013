# SPDX-License-Identifier: MIT
"""Spatial data structures over points: nearest neighbours, voxel grids and ray marching.

In: points (n, 3) on a device. Out: neighbours, occupied voxels, free lengths along rays. Start reading at `knn`.
"""
