# SPDX-License-Identifier: MIT
"""The scan's points as small discs on a device, and how places lie to the discs of their nearest points."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.chunks import chunk_size
from fastsdf.nearest import PointIndex, point_index
from fastsdf.vectors import dot

NEIGHBOURS = 8
MIN_COSINE = 0.5
OFFSET_SPACINGS = 0.2
MAX_RADIUS_SPACINGS = 3.0
LOOSE_RADIUS = 0.9
CHUNK = (1 << 15, 1 << 17)  # on a CPU, elsewhere


@dataclass(frozen=True)
class Support:
    """Measured surface: what a scan says about its points.

    Attributes:
        points: (n, 3) float64 world points.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing, world units.
        noise: standard deviation of the points about the surface, world units.
        colors: (n, 3) uint8 RGB, or None.
        loose: (n,) bool, points whose normal nothing is known of: their discs take that of the surface; or None.
    """

    points: np.ndarray
    normals: np.ndarray
    spacing: np.ndarray
    noise: float
    colors: np.ndarray | None = None
    loose: np.ndarray | None = None

    @cached_property
    def median_spacing(self) -> float:
        """Median of ``spacing``."""
        return float(np.median(self.spacing))

    def radii(self, spacings: float) -> np.ndarray:
        """(n,) radius of each point's disc: ``spacings`` local spacings, of which none counts above 3 median ones.

        A tenth less for loose ones, which any surface through them lies on.
        """
        radii = spacings * np.minimum(self.spacing, MAX_RADIUS_SPACINGS * self.median_spacing)
        return radii if self.loose is None else np.where(self.loose, LOOSE_RADIUS * radii, radii)

    def thickness(self, sigmas: float) -> np.ndarray:
        """(n,) half thickness of each disc: ``sigmas`` deviations of the noise, or a fifth of the local spacing."""
        return np.maximum(sigmas * self.noise, OFFSET_SPACINGS * self.spacing)


class Discs(NamedTuple):
    """The discs of n points on a device, and an index to find them.

    Attributes:
        index: over the points (n, 3) float64.
        normals: (n, 3) float64 unit normals of arbitrary sign.
        loose: (n,) bool, normals to be left out of account.
        radii: (n,) float64.
        thickness: (n,) float64, half of it.
        spacing: median spacing of the scan.
        colors: (n, 3) uint8, or None.
    """

    index: PointIndex
    normals: Tensor
    loose: Tensor
    radii: Tensor
    thickness: Tensor
    spacing: float
    colors: Tensor | None

    def take(self, chosen: Tensor) -> "Discs":
        """Some of the discs, by index (m,)."""
        colors = None if self.colors is None else self.colors[chosen]
        values = self.normals[chosen], self.loose[chosen], self.radii[chosen], self.thickness[chosen]
        return Discs(point_index(self.index.points[chosen]), *values, self.spacing, colors)


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
    index, radii = point_index(there(support.points)), there(support.radii(spacings))
    loose = np.zeros(len(support.points), bool) if support.loose is None else support.loose
    loose = torch.as_tensor(loose, device=device)
    return Discs(
        index, there(support.normals), loose, radii, there(support.thickness(sigmas)), support.median_spacing, colors
    )


def nearest_discs(places: Tensor, normals: Tensor, discs: Discs, count: int) -> Neighbours:
    """The discs of the ``count`` points nearest to places (m, 3) with unit normals (m, 3)."""
    index = discs.index.query(places, count)[1]
    toward = discs.index.points[index] - places[:, None]
    facing = torch.where(discs.loose[index][..., None], normals[:, None], discs.normals[index])
    gap = dot(toward, toward).sqrt_()  # in float64, unlike that of an index on a GPU
    across, cosine = dot(toward, facing).abs_(), dot(facing, normals[:, None]).abs_()
    return Neighbours(index, gap, toward, across, cosine)


def in_chunks(places: Tensor, normals: Tensor, discs: Discs, count: int) -> Iterator[tuple[slice, Neighbours]]:
    """`nearest_discs` a bounded number of places at a time, with where they lie among all."""
    size = chunk_size(places.device, *CHUNK)
    for start in range(0, len(places), size):
        part = slice(start, start + size)
        yield part, nearest_discs(places[part], normals[part], discs, count)
