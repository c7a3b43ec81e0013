# SPDX-License-Identifier: MIT
"""Pairs points of different views that lie on the same surface."""

from typing import NamedTuple

from torch import Tensor

from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import PointIndex

NEIGHBOURS = 16  # nearest points searched for those of other views; chosen
PARTNERS = 3  # points of other views that one point is paired with, at most; chosen
AGREEING_COSINE = 0.95  # 18 degrees: normals of one surface within their error (a measured recipe used 0.9 to 0.95)


class Pairs(NamedTuple):
    """Pairs of points of different views.

    Attributes:
        one, other: (m,) int64 indices of the points.
        offset: (m,) distance of the first point from the plane through the second, along the second's normal.
    """

    one: Tensor
    other: Tensor
    offset: Tensor


def pair_points(
    index: PointIndex, normals: Tensor, group: Tensor, queries: Tensor, radius: float, signed: bool, same: bool = False
) -> Pairs:
    """Pairs query points with the nearest points of other views whose normals agree.

    Args:
        index: search index over the n points, at their present positions.
        normals: (n, 3) unit normals.
        group: (n,) int64 view of each point.
        queries: (q,) int64 indices of the points to pair.
        radius: largest distance of a pair.
        signed: whether normals must point to the same side; otherwise their signs are arbitrary.
        same: pair with points of the same view instead, which shows the noise of the offsets.
    """
    points = index.points
    gap, near = index.query(points[queries], NEIGHBOURS + 1)
    cosine = dot(normals[queries][:, None], normals[near])
    agrees = (cosine if signed else cosine.abs()) > AGREEING_COSINE
    wanted = (group[near] == group[queries][:, None]) == same
    usable = agrees & wanted & (gap < radius) & (near != queries[:, None])
    usable &= usable.cumsum(1) <= PARTNERS
    row, column = usable.nonzero(as_tuple=True)
    one, other = queries[row], near[row, column]
    return Pairs(one, other, dot(points[one] - points[other], normals[other]))
