# SPDX-License-Identifier: MIT
"""Turns a point cloud into a prepared scan: registered, measured, oriented, smoothed and normalised.

In: `fastsdf.geometry.PointCloud`. Out: `prepared_scan.PreparedScan`. Start reading at `pipeline`.
"""
