# SPDX-License-Identifier: MIT
"""From a point cloud to a prepared scan: measured, oriented, smoothed and normalised.

In: `fastsdf.geometry.PointCloud`. Out: `prepared_scan.PreparedScan`. Start reading at `pipeline`.
"""
