# SPDX-License-Identifier: MIT
"""Represents the scan's points as small discs on a device, and measures vertices against their nearest discs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.prepared_scan import UNKNOWN_NORMAL_WEIGHT, Support
from fastsdf.spatial.knn import PointIndex, point_index

NEIGHBOURS = 8  # nearest discs per vertex that the confidence network was trained with
MIN_COSINE = 0.5  # cosine of 60 degrees; normals closer than that face the same way, as in the network's training
CHUNK = (1 << 15, 1 << 17)  # vertices at a time on a CPU and elsewhere; chosen to bound memory


class Discs(NamedTuple):
    """The discs of n points on a device, and an index to find them.

    Attributes:
        index: over the points (n, 3) float64.
        normals: (n, 3) float64 unit normals of arbitrary sign.
        normal_weight: (n,) float64 weight of the normals, see `fastsdf.prepare.prepared_scan.Support`.
        radii: (n,) float64 radius in world units.
        thickness: (n,) float64 half thickness in world units.
        spacings: radius of a disc in local spacings.
        spacing: median spacing of the scan, world units.
        noise: standard deviation of the scan's noise, world units.
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
        """Selects discs by index (m,)."""
        colors = None if self.colors is None else self.colors[chosen]
        normals, normal_weight, radii, thickness = (
            values[chosen] for values in (self.normals, self.normal_weight, self.radii, self.thickness)
        )
        index = point_index(self.index.points[chosen])
        return self._replace(
            index=index, normals=normals, normal_weight=normal_weight, radii=radii, thickness=thickness, colors=colors
        )


class Neighbours(NamedTuple):
    """The k nearest discs of m vertices, nearest first.

    Attributes:
        index: (m, k) index of the disc.
        gap: (m, k) distance from the vertex to the disc's point.
        toward: (m, k, 3) vector from the vertex to the disc's point.
        across: (m, k) distance from the vertex to the disc's plane.
        cosine: (m, k) absolute cosine between the normals of vertex and disc.
    """

    index: Tensor
    gap: Tensor
    toward: Tensor
    across: Tensor
    cosine: Tensor


def make_discs(support: Support, spacings: float, sigmas: float, device: torch.device | str) -> Discs:
    """Makes the discs of a scan on a device.

    Args:
        support: the scan's points, normals and spacings.
        spacings: radius of a disc in local spacings.
        sigmas: half thickness of a disc in standard deviations of the noise.
        device: device of the tensors.
    """

    def on_device(values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=device)

    colors = None if support.colors is None else torch.as_tensor(support.colors, device=device)
    return Discs(
        index=point_index(on_device(support.points)),
        normals=on_device(support.normals),
        normal_weight=on_device(
            np.ones(len(support.points)) if support.normal_weight is None else support.normal_weight
        ),
        radii=on_device(support.radii(spacings)),
        thickness=on_device(support.thickness(sigmas)),
        spacings=spacings,
        spacing=support.median_spacing,
        noise=support.noise,
        colors=colors,
    )


def nearest_discs(vertices: Tensor, normals: Tensor, discs: Discs, count: int) -> Neighbours:
    """Finds the ``count`` nearest discs of vertices (m, 3) with unit normals (m, 3).

    A disc whose normal is unknown (weight below `UNKNOWN_NORMAL_WEIGHT`) takes the normal of the vertex.
    """
    index = discs.index.query(vertices, count)[1]
    toward = discs.index.points[index] - vertices[:, None]
    facing = torch.where(
        discs.normal_weight[index][..., None] < UNKNOWN_NORMAL_WEIGHT, normals[:, None], discs.normals[index]
    )
    gap = dot(toward, toward).sqrt_()  # in float64; the index on a GPU returns float32
    across, cosine = dot(toward, facing).abs_(), dot(facing, normals[:, None]).abs_()
    return Neighbours(index, gap, toward, across, cosine)


def in_chunks(vertices: Tensor, normals: Tensor, discs: Discs, count: int) -> Iterator[tuple[slice, Neighbours]]:
    """Yields `nearest_discs` for a bounded number of vertices at a time, with the slice of these vertices."""
    size = chunk_size(vertices.device, *CHUNK)
    for start in range(0, len(vertices), size):
        part = slice(start, start + size)
        yield part, nearest_discs(vertices[part], normals[part], discs, count)
