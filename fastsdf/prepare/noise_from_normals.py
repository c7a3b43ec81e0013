# SPDX-License-Identifier: MIT
"""Measures the noise of a scan from the normals in its file, which tell noise from curvature."""

from torch import Tensor

from fastsdf.numerics.quantiles import median
from fastsdf.numerics.vectors import dot

NEIGHBOURS = 8  # nearest points compared; chosen: near enough that the surface between two points is an arc
AGREEING_COSINE = 0.9  # 26 degrees; normals farther apart belong to two faces, or are too noisy to use. Chosen
MIN_AGREEING_SHARE = 0.75  # of the pairs; objects have 0.79 to 0.97, depth frames 0.62 (notebook, objects)
MAD_TO_SIGMA = 1.4826  # median absolute deviation to standard deviation of a normal distribution


def noise_from_normals(points: Tensor, normals: Tensor, nearest: Tensor) -> float | None:
    """Standard deviation of points along their normals.

    The offset ``(q - p) . (m + n) / 2`` of two points p, q with normals n, m is 0 on every sphere and plane, whatever
    the distance, while the distance of neighbours from a plane grows with the curvature. With noise it has twice the
    variance of a point.

    Args:
        points: (n, 3).
        normals: (n, 3) unit normals, zero where unknown.
        nearest: (n, k + 1) int64 indices of the nearest points, the point itself first, k >= 8.

    Returns:
        The noise in the points' units; None where fewer than three in four neighbours have similar normals, because the
        normals are then as noisy as the points.
    """
    near = nearest[:, 1 : NEIGHBOURS + 1]
    own = normals[:, None]
    agrees = dot(own, normals[near]) > AGREEING_COSINE
    if float(agrees.double().mean()) < MIN_AGREEING_SHARE:
        return None
    offset = 0.5 * dot(points[near] - points[:, None], own + normals[near])
    return MAD_TO_SIGMA * median(offset[agrees].abs()) / 2**0.5
