# SPDX-License-Identifier: MIT
"""Readers and writers of the single file formats.

In: a path. Out: points, meshes or grids as plain arrays. Start reading at `ply`.
"""
