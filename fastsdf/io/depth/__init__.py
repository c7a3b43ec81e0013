# SPDX-License-Identifier: MIT
"""Reads folders of posed depth images as point clouds.

In: a folder. Out: `fastsdf.geometry.PointCloud` with sensor positions. Start reading at `folders`.
"""
