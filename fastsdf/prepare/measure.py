# SPDX-License-Identifier: MIT
"""What a fit starts from: the scan's points without strays, repetitions and outliers, and what they say about it."""

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

MIN_POINTS = 100
MERGED_SIGMAS = 2.0
MERGED_SPACINGS = 0.5
LEAST_SPACINGS = 0.05
LEFT_OUT = {"merged_share": "points merged, closer than the noise", "outlier_share": "points left out as outliers"}


@dataclass(frozen=True)
class MeasuredScan:
    """A scan without what misleads a fit.

    Attributes:
        transform: world <-> unit frame.
        kept: the points inside the scene's box, close ones merged and outliers left out, world frame.
        points: (n, 3) float64 the same points on the device.
        geometry: their spacing, PCA normals and roughness.
        facts: figures for the report.
    """

    transform: SceneTransform
    kept: PointCloud
    points: Tensor
    geometry: LocalGeometry
    facts: dict[str, Any]


def measure_scan(cloud: PointCloud, device: str = "cpu") -> MeasuredScan:
    """Finds the scene's box, and measures the points in it on a device.

    Points closer than the noise can tell apart become one: above a scanner they can be so dense that a dozen
    neighbours span less than the noise, and tell nothing of the surface's direction. Outliers
    (`fastsdf.prepare.outliers.find_outliers`) are then left out, and what remains is measured anew.

    Raises:
        ScanError: if fewer than 100 points lie in the scene's box, apart from each other, or on surfaces.
    """
    points = torch.as_tensor(np.require(cloud.points, np.float64, ["C", "W"]), device=device)
    transform = fit_transform(points)
    inside = transform.contains(points)
    in_box = cloud.select(inside)
    _require_points(len(in_box), len(cloud), "belong together")
    points = points[torch.as_tensor(inside, device=device)]
    noise_m, spacing_m = noise_and_spacing(points)
    edge_m = _merged_edge(noise_m, spacing_m)
    points, chosen = merge_close(points, edge_m)
    _require_points(len(points), len(cloud), "lie further apart than the noise")
    merged, good = len(points), ~find_outliers(points, measure_local_geometry(points))
    points, chosen = points[good], chosen[good].cpu().numpy()
    _require_points(len(points), len(cloud), "lie on surfaces")
    kept, geometry = replace(in_box.select(chosen), points=points.cpu().numpy()), measure_local_geometry(points)
    facts = {
        **_scan_facts(cloud, transform, geometry),
        "noise_m": noise_m,
        "spacing_m": max(min(spacing_m, geometry.median_spacing), edge_m),
        "points_in_box": len(in_box),
        "points_fitted": len(kept),
        "merged_share": round(1 - merged / len(in_box), 5),
        "outlier_share": round(1 - len(kept) / merged, 5),
    }
    return MeasuredScan(transform, kept, points, geometry, facts)


def _merged_edge(noise: float, spacing: float) -> float:
    """Edge of the cubes whose points become one: two deviations of the noise, and at most half of the median spacing.

    Above half a spacing that bound grows with the noise, since it is noise then and not the shape between few points.
    An edge below a twentieth of the spacing merges nothing worth it: 0.
    """
    two_sigmas, bound = MERGED_SIGMAS * noise, MERGED_SPACINGS * spacing
    edge = max(min(two_sigmas, bound), two_sigmas - bound)
    return edge if edge > LEAST_SPACINGS * spacing else 0.0


def _require_points(count: int, of: int, what: str) -> None:
    if count < MIN_POINTS:
        raise ScanError(f"only {count} of {of} points {what}; the scan needs at least {MIN_POINTS}")


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
