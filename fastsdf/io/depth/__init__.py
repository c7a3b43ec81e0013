# SPDX-License-Identifier: MIT
"""Folders of posed depth images: their layouts, the images, and points from them.

In: a folder. Out: `fastsdf.geometry.PointCloud` with a view per frame. Start reading at `folders`.
"""
