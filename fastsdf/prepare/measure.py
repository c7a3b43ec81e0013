# SPDX-License-Identifier: MIT
"""Removes stray points, near-duplicates and outliers from a scan, and measures the points that remain."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.prepare.local_geometry import LocalGeometry, measure_local_geometry, noise_and_spacing
from fastsdf.prepare.normalize import SceneTransform, fit_transform
from fastsdf.prepare.outliers import find_outliers
from fastsdf.spatial.voxel_downsample import merge_close

MIN_POINTS = 100  # points; chosen: fewer show no surface, and neighbourhoods of 17 points would cover most of them
MERGED_SIGMAS = 2.0  # edge in deviations of the noise; closer points cannot be told apart
MERGED_SPACINGS = 0.5  # bound of the edge in median spacings; keeps detail where the noise is large. Chosen
MIN_MERGED_SPACINGS = 0.05  # in median spacings; below it hardly any points would merge. Chosen
# Facts about points that do not train, and their names in reports.
LEFT_OUT = {"merged_share": "points merged, closer than the noise", "outlier_share": "points left out as outliers"}


@dataclass(frozen=True)
class MeasuredScan:
    """A scan without its stray points, near-duplicates and outliers.

    Attributes:
        transform: world <-> unit frame.
        kept: the n points inside the scene's box, close ones merged and outliers left out, world frame.
        points: (n, 3) float64, the same points on the device.
        geometry: their spacing, PCA normals and roughness.
        facts: statistics of the scan for the report.
    """

    transform: SceneTransform
    kept: PointCloud
    points: Tensor
    geometry: LocalGeometry
    facts: dict[str, Any]


def measure_scan(cloud: PointCloud, device: str = "cpu") -> MeasuredScan:
    """Finds the scene's box and measures the points in it on a device.

    Points that the noise makes indistinguishable are merged: above and below a scanner they can be so dense that a
    dozen neighbours span less than the noise and do not show the direction of the surface. Then outliers
    (`fastsdf.prepare.outliers.find_outliers`) are removed, and the remaining points are measured again.

    Raises:
        ScanError: if fewer than 100 points are left in the scene's box, after merging, or after removing outliers.
    """
    points = torch.as_tensor(np.require(cloud.points, np.float64, ["C", "W"]), device=device)
    transform = fit_transform(points)
    inside = transform.contains(points)
    in_box = cloud.select(inside)
    _require_points(len(in_box), len(cloud), "lie in the main part of the scan")
    points = points[torch.as_tensor(inside, device=device)]
    noise_m, spacing_m = noise_and_spacing(points)
    edge_m = _merged_edge(noise_m, spacing_m)
    points, chosen = merge_close(points, edge_m)
    _require_points(len(points), len(cloud), "remain after points closer than the noise are merged")
    merged_count, good = len(points), ~find_outliers(points, measure_local_geometry(points))
    points, chosen = points[good], chosen[good].cpu().numpy()
    _require_points(len(points), len(cloud), "lie on surfaces")
    kept, geometry = replace(in_box.select(chosen), points=points.cpu().numpy()), measure_local_geometry(points)
    facts = {
        **_scan_facts(cloud, transform, geometry),
        "noise_m": noise_m,
        "spacing_m": max(min(spacing_m, geometry.median_spacing), edge_m),
        "points_in_box": len(in_box),
        "points_fitted": len(kept),
        "merged_share": round(1 - merged_count / len(in_box), 5),
        "outlier_share": round(1 - len(kept) / merged_count, 5),
    }
    return MeasuredScan(transform, kept, points, geometry, facts)


def _merged_edge(noise: float, spacing: float) -> float:
    """Edge of the cubes whose points are merged: two deviations of the noise, at most half of the median spacing.

    Where two deviations exceed a whole spacing, the edge is two deviations minus half a spacing: points that lie that
    close beside each other differ by noise rather than shape. An edge below a twentieth of the spacing is set to 0,
    since it would merge next to nothing.
    """
    two_sigmas, bound = MERGED_SIGMAS * noise, MERGED_SPACINGS * spacing
    edge = max(min(two_sigmas, bound), two_sigmas - bound)
    return edge if edge > MIN_MERGED_SPACINGS * spacing else 0.0


def _require_points(count: int, total: int, condition: str) -> None:
    if count < MIN_POINTS:
        raise ScanError(f"only {count} of {total} points {condition}; the scan needs at least {MIN_POINTS}")


def _scan_facts(cloud: PointCloud, transform: SceneTransform, geometry: LocalGeometry) -> dict[str, Any]:
    extent = (np.asarray(transform.upper) - np.asarray(transform.lower)) * transform.half_extent_m
    return {
        "points": len(cloud),
        "extent_m": [round(float(e), 4) for e in extent],
        "fitted_noise_m": geometry.noise,
        "noise_spread": round(geometry.noise_spread, 3),
        "area_m2": geometry.area,
        "units": cloud.units,
        "crs": cloud.crs,
        "notes": list(cloud.notes),
    }
