# SPDX-License-Identifier: MIT
"""Refines the poses of the views of a scan, so that stations, sweeps or frames that disagree make one surface.

In: `fastsdf.geometry.PointCloud` with views. Out: the same cloud, views moved. Start reading at `refine`.
"""
