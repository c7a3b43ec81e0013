# SPDX-License-Identifier: MIT
"""Camera and scanner poses: reads files of poses and gives points their sensor positions.

Input: a file of poses. Output: matrices, or points with sensor positions. Start reading at `pose_files`.
"""
