# SPDX-License-Identifier: MIT
"""Turns a point cloud into a prepared scan: registered, measured, oriented, smoothed and normalised."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.geometry import PointCloud
from fastsdf.prepare.bilateral import smooth_points
from fastsdf.prepare.local_geometry import LocalGeometry, smoothing_rounds
from fastsdf.prepare.measure import MeasuredScan, measure_scan
from fastsdf.prepare.noise_from_normals import noise_from_normals
from fastsdf.prepare.normalize import SceneTransform
from fastsdf.prepare.orientation.select import Evidence, orient_scan
from fastsdf.prepare.plane_snapping import snap_to_planes
from fastsdf.prepare.prepared_scan import UNKNOWN_NORMAL_WEIGHT, PreparedScan, SurfacePoints
from fastsdf.prepare.registration.refine import refine_views
from fastsdf.system.device import choose_device


def prepare_scan(cloud: PointCloud, config: FitConfig) -> PreparedScan:
    """Registers, measures, orients, smooths and normalises a scan.

    Args:
        cloud: the scan, world frame.
        config: its ``prepare`` section, scene, device and seed.

    Returns:
        The scan ready for training: points in the unit frame, and the transform back to the world.

    Raises:
        ScanError: if fewer than 100 points are usable (see `fastsdf.prepare.measure.measure_scan`).
        ConfigError: if the device does not exist.
        InputError: if the scan lacks the orientation evidence that the configuration names.
    """
    device = choose_device(config.device)
    # 1. Register: move stations, sweeps or frames that disagree, since two layers cannot be told from shape later.
    refined = refine_views(cloud, device, config.seed, enabled=config.prepare.refine_poses == "auto")
    # 2. Measure: leave stray points and outliers out, since they mislead a fit; find spacing, noise and PCA normals.
    measured = measure_scan(refined.cloud, device)
    # 3. Orient: PCA normals have an arbitrary sign, but the signed distance must be positive in the air.
    evidence = orient_measured(measured, config)
    # 4. Smooth and normalise: remove range noise, then scale the scan into [-1, 1]^3, where lengths are comparable.
    prepared = smooth_oriented(measured, evidence, config)
    return replace(prepared, facts={**prepared.facts, **refined.facts}, view_motions=refined.motions)


def orient_measured(measured: MeasuredScan, config: FitConfig) -> Evidence:
    """Finds the side of each measured point that is air, from the evidence named in the configuration."""
    source, scene = config.prepare.orientation, config.scene
    return orient_scan(measured.kept, measured.points, measured.geometry, source, scene)


def smooth_oriented(measured: MeasuredScan, evidence: Evidence, config: FitConfig) -> PreparedScan:
    """Smooths and normalises points that are already measured and oriented.

    Args:
        measured: points, local geometry and transform, from `fastsdf.prepare.measure.measure_scan`.
        evidence: normals into the air and their confidence, from `orient_measured`.
        config: its ``prepare`` section and seed.
    """
    transform, geometry = measured.transform, measured.geometry
    # 1. Center: subtract the scene's center, because world coordinates can be too large for float32 steps.
    local = transform.centered(measured.points)
    # 2. Noise: average it out along the normals where neighbours agree on a surface (bilateral).
    rounds = smoothing_rounds(config, geometry)
    noises = _noises(measured, local)
    smooth, normals = smooth_points(local, evidence.normals, geometry.spacing, geometry.nearest, noises, rounds)
    # 3. Planes: move points onto planes that explain a large neighbourhood, so that walls become flat.
    points, normals, flat = snap_to_planes(
        local, smooth, normals, geometry.index, noises, config.prepare.plane_neighbours
    )
    # 4. Normal weights: normals of planes weigh more, because many points agree on them.
    normal_weight = torch.where(flat, config.prepare.plane_weight, geometry.normal_weight)
    # 5. Units: divide lengths by the half extent, so that the scan fills [-1, 1]^3.
    surface = _in_unit_frame(points, normals, normal_weight, evidence, geometry, transform)
    # 6. Held-out points: set some aside at random, to measure the finished surface on points that training did not see.
    held_out = np.random.default_rng(config.seed).random(len(points)) < config.prepare.held_out_share
    # 7. Statistics: collect what the report and run.json show.
    facts = {**measured.facts, **evidence.facts, **_smoothing_facts(flat, rounds, geometry)}
    return PreparedScan(
        transform,
        surface,
        geometry.noise,
        facts,
        measured.kept.colors,
        measured=_array(local / transform.half_extent_m),
        held_out=held_out,
    )


def _noises(measured: MeasuredScan, local: Tensor) -> Tensor:
    """(n,) noise of the centred points ``local`` (n, 3); not what is curvature, where the file's normals can tell."""
    geometry, normals = measured.geometry, measured.kept.normals
    if normals is None:
        return geometry.noises
    noise = noise_from_normals(local, torch.as_tensor(normals, device=local.device), geometry.nearest)
    return geometry.noises if noise is None else geometry.noises * min(noise / geometry.noise, 1.0)


def _in_unit_frame(
    points: Tensor,
    normals: Tensor,
    normal_weight: Tensor,
    evidence: Evidence,
    geometry: LocalGeometry,
    transform: SceneTransform,
) -> SurfacePoints:
    """The scan as float32 arrays in the unit frame; ``points`` (n, 3) are centred but still in world units."""
    half = transform.half_extent_m
    return SurfacePoints(
        points=_array(points / half),
        normals=_array(normals),
        confidence=_array(evidence.confidence),
        spacing=_array(geometry.spacing / half),
        normal_weight=_array(normal_weight),
        lower=np.asarray(transform.lower),
        upper=np.asarray(transform.upper),
        views=None if evidence.views is None else _array(evidence.views / half),
    )


def _smoothing_facts(flat: Tensor, rounds: int, geometry: LocalGeometry) -> dict[str, float]:
    """Statistics of the smoothing for the report; ``flat`` (n,) marks the points on planes."""
    untrusted = geometry.normal_weight < UNKNOWN_NORMAL_WEIGHT
    return {
        "flat_share": round(float(flat.double().mean()), 4),
        "smoothing_rounds": rounds,
        "untrusted_share": round(float(untrusted.double().mean()), 5),
    }


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
