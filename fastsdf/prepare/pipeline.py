# SPDX-License-Identifier: MIT
"""From a point cloud to a prepared scan: measured, oriented, smoothed and normalised."""

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.geometry import PointCloud
from fastsdf.prepare.bilateral import smooth_points
from fastsdf.prepare.local_geometry import smoothing_rounds
from fastsdf.prepare.measure import MeasuredScan, measure_scan
from fastsdf.prepare.orientation.select import Evidence, orient_scan
from fastsdf.prepare.plane_snapping import snap_to_planes
from fastsdf.prepare.prepared_scan import UNKNOWN_NORMAL_WEIGHT, PreparedScan, SurfacePoints
from fastsdf.system.device import choose_device


def prepare_scan(cloud: PointCloud, config: FitConfig) -> PreparedScan:
    """Measures a scan, orients and smooths its points.

    Args:
        cloud: the scan, world frame.
        config: its ``prepare`` section, scene, device and seed.

    Raises:
        ScanError: if fewer than 100 points lie in the scene's box.
        ConfigError: if the device is not there.
    """
    measured = measure_scan(cloud, choose_device(config.device))
    return smooth_oriented(measured, orient_measured(measured, config), config)


def orient_measured(measured: MeasuredScan, config: FitConfig) -> Evidence:
    """Which side of each point of a measured scan is air, by the evidence that the configuration asks for."""
    source, scene = config.prepare.orientation, config.scene
    return orient_scan(measured.kept, measured.points, measured.geometry, source, scene)


def smooth_oriented(measured: MeasuredScan, evidence: Evidence, config: FitConfig) -> PreparedScan:
    """The prepared scan of points that are measured and oriented."""
    transform, kept, geometry = measured.transform, measured.kept, measured.geometry
    rounds = smoothing_rounds(config, geometry)
    local, noises = transform.centered(measured.points), geometry.noises
    smooth, normals = smooth_points(local, evidence.normals, geometry.spacing, geometry.nearest, noises, rounds)
    points, normals, flat = snap_to_planes(
        local, smooth, normals, geometry.index, noises, config.prepare.plane_neighbours
    )
    normal_weight = torch.where(flat, config.prepare.plane_weight, geometry.normal_weight)
    half = transform.half_extent_m
    surface = SurfacePoints(
        *(
            _array(values)
            for values in (points / half, normals, evidence.confidence, geometry.spacing / half, normal_weight)
        ),
        lower=np.asarray(transform.lower),
        upper=np.asarray(transform.upper),
        views=None if evidence.views is None else _array(evidence.views / half),
    )
    facts = {
        "flat_share": round(float(flat.double().mean()), 4),
        "smoothing_rounds": rounds,
        "untrusted_share": round(float((geometry.normal_weight < UNKNOWN_NORMAL_WEIGHT).double().mean()), 5),
    }
    return PreparedScan(
        transform,
        surface,
        geometry.noise,
        {**measured.facts, **evidence.facts, **facts},
        kept.colors,
        measured=_array(local / half),
        held_out=np.random.default_rng(config.seed).random(len(points)) < config.prepare.held_out_share,
    )


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
