# SPDX-License-Identifier: MIT
"""Local spacing, normals and surface area of a point cloud from its nearest neighbours."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fastsdf.nearest import PointIndex, point_index
from fastsdf.plane_fits import edge_preserving_normals, fit_planes
from fastsdf.quantiles import median, quantiles

ROUGHNESS_TO_NOISE = 1.15
_CHUNK = 1 << 17


@dataclass(frozen=True)
class LocalGeometry:
    """Per-point statistics of a scan, in the units of its points and on their device.

    Attributes:
        spacing: (n,) edge of the square of surface that a point stands for (neighbour distance of an even sampling).
        normals: (n, 3) unit normals, of arbitrary sign, see `edge_preserving_normals`.
        trust: (n,) how far the normals can be trusted, 0 to 1.
        roughness: (n,) rms distance of the neighbours to their plane.
        nearest: (n, k + 1) int64 indices of the nearest points, the point itself first.
        index: over the points.
    """

    spacing: Tensor
    normals: Tensor
    trust: Tensor
    roughness: Tensor
    nearest: Tensor
    index: PointIndex

    @cached_property
    def median_spacing(self) -> float:
        """Median of ``spacing``."""
        return median(self.spacing)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the points about their local planes: the median roughness, times 1.15 for its bias."""
        return ROUGHNESS_TO_NOISE * median(self.roughness)

    @cached_property
    def noise_spread(self) -> float:
        """How much the noise varies over the scan: upper quartile over median of each point's calmest neighbour's
        roughness, which edges and corners do not raise. Even noise gives 1.2.
        """
        least = torch.cat([self.roughness[rows].amin(1) for rows in self.nearest.split(_CHUNK)])
        middle, upper = quantiles(least, (0.5, 0.75))
        return float(upper) / max(float(middle), torch.finfo(torch.float64).tiny)

    @cached_property
    def area(self) -> float:
        """Estimated area of the sampled surface: the sum of the points' squares."""
        return float(self.spacing.square().sum())


def measure_local_geometry(points: Tensor, neighbours: int = 16) -> LocalGeometry:
    """Spacing and normals from the ``neighbours`` nearest points of each point.

    An even sampling of density rho has k points within d_k when rho * pi * d_k^2 = k, so the spacing rho^(-1/2) is
    d_k * sqrt(pi / k).

    Args:
        points: (n, 3) float64, n > neighbours.
        neighbours: size k of the neighbourhood, at least 16.
    """
    index = point_index(points)
    distance, nearest = index.query(points, neighbours + 1)
    extent = float((points.amax(0) - points.amin(0)).max())
    floor = np.finfo(np.float32).eps * max(extent, 1e-30)
    spacing = (distance[:, -1] * np.sqrt(np.pi / neighbours)).clamp_min(floor)
    fits = fit_planes(points, nearest)
    roughness = fits.deviation * np.sqrt((neighbours - 2) / (neighbours + 1))
    return LocalGeometry(spacing, *edge_preserving_normals(points, nearest, fits), roughness, nearest, index)
