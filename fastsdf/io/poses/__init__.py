# SPDX-License-Identifier: MIT
"""Camera and scanner poses: files of matrices, poses by time stamp, sensor positions of points.

In: a file of poses. Out: matrices, or points with the position of their sensor. Start reading at `pose_files`.
"""
