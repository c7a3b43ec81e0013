# SPDX-License-Identifier: MIT
"""Which side of each point is air: from sensors, the file's normals, free paths, or viewpoints.

In: points and their spacing. Out: normals into the air and a confidence in each. Start reading at `select`.
"""
