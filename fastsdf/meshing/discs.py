# SPDX-License-Identifier: MIT
"""The scan's points as small discs on a device, and how places lie to the discs of their nearest points."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.prepared_scan import UNKNOWN_NORMAL_WEIGHT, Support
from fastsdf.spatial.knn import PointIndex, point_index

NEIGHBOURS = 8
MIN_COSINE = 0.5

CHUNK = (1 << 15, 1 << 17)  # on a CPU, elsewhere


class Discs(NamedTuple):
    """The discs of n points on a device, and an index to find them.

    Attributes:
        index: over the points (n, 3) float64.
        normals: (n, 3) float64 unit normals of arbitrary sign.
        normal_weight: (n,) float64 in the axes of the normals.
        radii: (n,) float64.
        thickness: (n,) float64, half of it.
        spacings: radius of a disc in local spacings.
        spacing: median spacing of the scan.
        noise: standard deviation of the scan's noise.
        colors: (n, 3) uint8, or None.
    """

    index: PointIndex
    normals: Tensor
    normal_weight: Tensor
    radii: Tensor
    thickness: Tensor
    spacings: float
    spacing: float
    noise: float
    colors: Tensor | None

    def take(self, chosen: Tensor) -> "Discs":
        """Some of the discs, by index (m,)."""
        colors = None if self.colors is None else self.colors[chosen]
        normals, normal_weight, radii, thickness = (
            values[chosen] for values in (self.normals, self.normal_weight, self.radii, self.thickness)
        )
        index = point_index(self.index.points[chosen])
        return self._replace(
            index=index, normals=normals, normal_weight=normal_weight, radii=radii, thickness=thickness, colors=colors
        )


class Neighbours(NamedTuple):
    """How places (m, 3) with normals lie to the discs of their k nearest points, nearest first.

    Attributes:
        index: (m, k) which discs.
        gap: (m, k) distance to the point.
        toward: (m, k, 3) from the place to the point.
        across: (m, k) distance to the disc's plane.
        cosine: (m, k) absolute cosine between the normals of place and disc.
    """

    index: Tensor
    gap: Tensor
    toward: Tensor
    across: Tensor
    cosine: Tensor


def make_discs(support: Support, spacings: float, sigmas: float, device: torch.device | str) -> Discs:
    """The discs of a scan on a device: radius in local spacings, half thickness in deviations of the noise."""

    def there(values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=device)

    colors = None if support.colors is None else torch.as_tensor(support.colors, device=device)
    return Discs(
        index=point_index(there(support.points)),
        normals=there(support.normals),
        normal_weight=there(np.ones(len(support.points)) if support.normal_weight is None else support.normal_weight),
        radii=there(support.radii(spacings)),
        thickness=there(support.thickness(sigmas)),
        spacings=spacings,
        spacing=support.median_spacing,
        noise=support.noise,
        colors=colors,
    )


def nearest_discs(places: Tensor, normals: Tensor, discs: Discs, count: int) -> Neighbours:
    """The discs of the ``count`` points nearest to places (m, 3) with unit normals (m, 3).

    Discs whose normal nothing is known of (normal_weight below a half) take that of the place.
    """
    index = discs.index.query(places, count)[1]
    toward = discs.index.points[index] - places[:, None]
    facing = torch.where(
        discs.normal_weight[index][..., None] < UNKNOWN_NORMAL_WEIGHT, normals[:, None], discs.normals[index]
    )
    gap = dot(toward, toward).sqrt_()  # in float64, unlike that of an index on a GPU
    across, cosine = dot(toward, facing).abs_(), dot(facing, normals[:, None]).abs_()
    return Neighbours(index, gap, toward, across, cosine)


def in_chunks(places: Tensor, normals: Tensor, discs: Discs, count: int) -> Iterator[tuple[slice, Neighbours]]:
    """`nearest_discs` a bounded number of places at a time, with where they lie among all."""
    size = chunk_size(places.device, *CHUNK)
    for start in range(0, len(places), size):
        part = slice(start, start + size)
        yield part, nearest_discs(places[part], normals[part], discs, count)
