# SPDX-License-Identifier: MIT
"""Local spacing, normals and surface area of a point cloud from its nearest neighbours."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.numerics.quantiles import median, quantiles
from fastsdf.prepare.plane_fits import PlaneFits, edge_preserving_normals, fit_planes
from fastsdf.spatial.knn import PointIndex, point_index

ROUGHNESS_TO_NOISE = 1.15
MOST_NOISE = 6.0
EVEN_NOISE_SPREAD = 1.3
FINE_NOISE_SPACINGS = 0.4
_CHUNK = 1 << 17


@dataclass(frozen=True)
class LocalGeometry:
    """Per-point statistics of a scan, in the units of its points and on their device.

    Attributes:
        spacing: (n,) edge of the square of surface that a point stands for (neighbour distance of an even sampling).
        normals: (n, 3) unit normals, of arbitrary sign, see `edge_preserving_normals`.
        normal_weight: (n,) how far the normals can be trusted, 0 to 1.
        roughness: (n,) rms distance of the neighbours to their plane.
        nearest: (n, k + 1) int64 indices of the nearest points, the point itself first.
        index: over the points.
    """

    spacing: Tensor
    normals: Tensor
    normal_weight: Tensor
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
    def lowest_neighbour_roughness(self) -> Tensor:
        """(n,) roughness of each point's calmest neighbour, which edges and corners do not raise."""
        return torch.cat([self.roughness[rows].amin(1) for rows in self.nearest.split(_CHUNK)])

    @cached_property
    def noise_spread(self) -> float:
        """How much the noise varies over the scan: upper quartile over median of ``lowest_neighbour_roughness``. Even noise gives 1.2."""
        middle, upper = quantiles(self.lowest_neighbour_roughness, (0.5, 0.75))
        return float(upper) / max(float(middle), torch.finfo(torch.float64).tiny)

    @cached_property
    def noises(self) -> Tensor:
        """(n,) ``noise`` at each point: that of the scan where it is even, else up to six times as much where the
        neighbours are rougher than the scan's median, the calmest of each in the mean.
        """
        even = torch.full_like(self.spacing, self.noise)
        if self.noise_spread < EVEN_NOISE_SPREAD:
            return even
        around = torch.cat([self.lowest_neighbour_roughness[rows].mean(1) for rows in self.nearest.split(_CHUNK)])
        return even * (around / max(median(around), torch.finfo(torch.float64).tiny)).clamp(1.0, MOST_NOISE)

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
    index, nearest, spacing, fits = _neighbourhoods(points, neighbours)
    return LocalGeometry(
        spacing, *edge_preserving_normals(points, nearest, fits), _roughness(fits, neighbours), nearest, index
    )


def noise_and_spacing(points: Tensor, neighbours: int = 16) -> tuple[float, float]:
    """`LocalGeometry.noise` and ``median_spacing`` of points (n, 3), without the normals."""
    _, _, spacing, fits = _neighbourhoods(points, neighbours)
    return ROUGHNESS_TO_NOISE * median(_roughness(fits, neighbours)), median(spacing)


def _neighbourhoods(points: Tensor, neighbours: int) -> tuple[PointIndex, Tensor, Tensor, PlaneFits]:
    """An index over the points (n, 3), the nearest of each (n, k + 1), local spacing (n,), and planes through them."""
    index = point_index(points)
    distance, nearest = index.query(points, neighbours + 1)
    extent = float((points.amax(0) - points.amin(0)).max())
    floor = np.finfo(np.float32).eps * max(extent, 1e-30)
    spacing = (distance[:, -1] * np.sqrt(np.pi / neighbours)).clamp_min(floor)
    return index, nearest, spacing, fit_planes(points, nearest)


def _roughness(fits: PlaneFits, neighbours: int) -> Tensor:
    """(n,) rms distance of the neighbours to their plane, from the deviation free of bias."""
    return fits.deviation * np.sqrt((neighbours - 2) / (neighbours + 1))


def smoothing_rounds(config: FitConfig, geometry: LocalGeometry) -> int:
    """Rounds of smoothing: as asked for, else 1 where the noise is even and well below the point spacing, 2 elsewhere.

    One standard deviation of the whole scan is too little for its noisier parts; a second round makes up for that.
    """
    if config.prepare.smoothing_rounds is not None:
        return config.prepare.smoothing_rounds
    even = geometry.noise_spread < EVEN_NOISE_SPREAD
    even = even and geometry.noise < FINE_NOISE_SPACINGS * geometry.median_spacing
    return 1 if even else 2
