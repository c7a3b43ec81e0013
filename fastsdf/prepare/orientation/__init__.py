# SPDX-License-Identifier: MIT
"""Finds the side of each point that is air, from sensors, the file's normals, free paths, or viewpoints.

In: points and their local geometry. Out: normals into the air and a confidence in each. Start reading at `select`.
"""
