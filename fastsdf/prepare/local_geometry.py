# SPDX-License-Identifier: MIT
"""Estimates spacing, normals, noise and surface area of a point cloud from the nearest neighbours of its points."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.numerics.quantiles import median, quantiles
from fastsdf.prepare.plane_fits import PlaneFits, edge_preserving_normals, fit_planes
from fastsdf.spatial.knn import PointIndex, point_index

ROUGHNESS_TO_NOISE = 1.15  # a fitted plane takes up noise: its 3 parameters and the median explain 1.13; chosen
MAX_NOISE_RATIO = 6.0  # local over median noise; 3 scored lower on depth cameras, 10 no better (notebook, outliers)
EVEN_NOISE_SPREAD = 1.3  # upper quartile over median; synthetic scans of even noise have 1.2, real scans 1.4 to 2.4
FINE_NOISE_SPACINGS = 0.4  # noise over spacing; below it one smoothing round scored better than two (notebook, planes)
_CHUNK = 1 << 17  # points at a time; bounds memory


@dataclass(frozen=True)
class LocalGeometry:
    """Per-point statistics of a scan, in the units of its points and on their device.

    Attributes:
        spacing: (n,) edge of the square of surface per point, which is the neighbour distance on a square lattice.
        normals: (n, 3) unit normals of arbitrary sign (`fastsdf.prepare.plane_fits.edge_preserving_normals`).
        normal_weight: (n,) reliability of the normals' axes, 0 to 1.
        roughness: (n,) rms distance of the neighbours to their plane.
        nearest: (n, k + 1) int64 indices of the nearest points, the point itself first.
        index: search index over the points.
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
        """Standard deviation of the points about the surface: the median roughness, corrected for its bias."""
        return ROUGHNESS_TO_NOISE * median(self.roughness)

    @cached_property
    def lowest_neighbour_roughness(self) -> Tensor:
        """(n,) lowest roughness among each point's neighbours, which edges and corners do not raise."""
        return torch.cat([self.roughness[nearest].amin(1) for nearest in self.nearest.split(_CHUNK)])

    @cached_property
    def noise_spread(self) -> float:
        """Variation of the noise over the scan: upper quartile over median of ``lowest_neighbour_roughness``.

        Even noise gives 1.2.
        """
        middle, upper = quantiles(self.lowest_neighbour_roughness, (0.5, 0.75))
        return float(upper) / max(float(middle), torch.finfo(torch.float64).tiny)

    @cached_property
    def noises(self) -> Tensor:
        """(n,) standard deviation of the noise at each point.

        Where the noise is even (``noise_spread`` below 1.3) this is ``noise`` everywhere. Otherwise it is ``noise``
        times the mean of ``lowest_neighbour_roughness`` over the neighbours, relative to the median of these means,
        within factors of 1 and 6.
        """
        even = torch.full_like(self.spacing, self.noise)
        if self.noise_spread < EVEN_NOISE_SPREAD:
            return even
        local = torch.cat([self.lowest_neighbour_roughness[nearest].mean(1) for nearest in self.nearest.split(_CHUNK)])
        return even * (local / max(median(local), torch.finfo(torch.float64).tiny)).clamp(1.0, MAX_NOISE_RATIO)

    @cached_property
    def area(self) -> float:
        """Estimated area of the sampled surface: the sum of the squared spacings."""
        return float(self.spacing.square().sum())


def measure_local_geometry(points: Tensor, neighbours: int = 16) -> LocalGeometry:
    """Measures spacing, normals and roughness from the ``neighbours`` nearest points of each point.

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
    """`LocalGeometry.noise` and ``median_spacing`` of points (n, 3), without computing the normals."""
    _, _, spacing, fits = _neighbourhoods(points, neighbours)
    return ROUGHNESS_TO_NOISE * median(_roughness(fits, neighbours)), median(spacing)


def _neighbourhoods(points: Tensor, neighbours: int) -> tuple[PointIndex, Tensor, Tensor, PlaneFits]:
    """Search index over points (n, 3), nearest points of each (n, k + 1), spacing (n,), and planes through these."""
    index = point_index(points)
    distance, nearest = index.query(points, neighbours + 1)
    extent = float((points.amax(0) - points.amin(0)).max())
    floor = np.finfo(np.float32).eps * max(extent, 1e-30)
    spacing = (distance[:, -1] * np.sqrt(np.pi / neighbours)).clamp_min(floor)
    return index, nearest, spacing, fit_planes(points, nearest)


def _roughness(fits: PlaneFits, neighbours: int) -> Tensor:
    """(n,) rms distance of the neighbours to their plane; ``fits.deviation`` divides by the degrees of freedom."""
    return fits.deviation * np.sqrt((neighbours - 2) / (neighbours + 1))


def smoothing_rounds(config: FitConfig, geometry: LocalGeometry) -> int:
    """Number of smoothing rounds: ``prepare.smoothing_rounds`` if set, otherwise 1 or 2 by the noise.

    One round suffices where the noise is even and well below the point spacing. Otherwise one standard deviation for
    the whole scan is too small for its noisier parts, which a second round makes up for.
    """
    if config.prepare.smoothing_rounds is not None:
        return config.prepare.smoothing_rounds
    even = geometry.noise_spread < EVEN_NOISE_SPREAD
    even = even and geometry.noise < FINE_NOISE_SPACINGS * geometry.median_spacing
    return 1 if even else 2
