# SPDX-License-Identifier: MIT
"""From a point cloud to a prepared scan: measured, oriented, smoothed and normalised."""

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.geometry import PointCloud
from fastsdf.prepare.bilateral import smooth_points
from fastsdf.prepare.local_geometry import smoothing_rounds
from fastsdf.prepare.measure import measure_scan
from fastsdf.prepare.orientation.select import orient_scan
from fastsdf.prepare.plane_snapping import flatten_points
from fastsdf.prepare.prepared_scan import LOOSE_TRUST, PreparedScan, SurfacePoints
from fastsdf.system.device import choose_device


def prepare_scan(cloud: PointCloud, config: FitConfig) -> PreparedScan:
    """Measures a scan, orients and smooths its points.

    Raises:
        ScanError: if fewer than 100 points lie in the scene's box.
    """
    measured = measure_scan(cloud, choose_device(config.device))
    transform, kept, geometry = measured.transform, measured.kept, measured.geometry
    evidence = orient_scan(kept, measured.points, geometry, config.prepare.orientation, config.scene)
    rounds = smoothing_rounds(config, geometry)
    local, noises = transform.centered(measured.points), geometry.noises
    smooth, normals = smooth_points(local, evidence.normals, geometry.spacing, geometry.nearest, noises, rounds)
    points, normals, flat = flatten_points(
        local, smooth, normals, geometry.index, noises, config.prepare.plane_neighbours
    )
    trust = torch.where(flat, config.prepare.plane_weight, geometry.trust)
    half = transform.half_extent_m
    surface = SurfacePoints(
        *(_array(values) for values in (points / half, normals, evidence.confidence, geometry.spacing / half, trust)),
        lower=np.asarray(transform.lower),
        upper=np.asarray(transform.upper),
        views=None if evidence.views is None else _array(evidence.views / half),
    )
    facts = {
        "flat_share": round(float(flat.double().mean()), 4),
        "smoothing_rounds": rounds,
        "untrusted_share": round(float((geometry.trust < LOOSE_TRUST).double().mean()), 5),
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
