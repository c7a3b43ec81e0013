# SPDX-License-Identifier: MIT
"""From a scan to a fitted field, as a recipe: measure, normalise, choose settings, start, train."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fastsdf.backends.base import Backend
from fastsdf.config import FitConfig
from fastsdf.field import FieldSpec, HashGridSDF
from fastsdf.fitted import FittedField
from fastsdf.flattening import flatten_points
from fastsdf.measuring import measure_scan
from fastsdf.meshing.support import LOOSE_TRUST
from fastsdf.prepared import PreparedScan, support_of
from fastsdf.runtime import choose_backend, choose_device, settle_vector_math
from fastsdf.sampling import Sampler, SurfacePoints
from fastsdf.scan import PointCloud
from fastsdf.settings import resolve_settings, smoothing_rounds
from fastsdf.sign_evidence import orient_scan
from fastsdf.smoothing import smooth_points
from fastsdf.trainer import TrainState, make_state
from fastsdf.warm_start import start_shape, warm_start


@dataclass(frozen=True)
class Session:
    """A fit under way: what is needed to go on training or to mesh."""

    config: FitConfig
    prepared: PreparedScan
    state: TrainState
    device: str
    backend_reason: str

    @property
    def fitted(self) -> FittedField:
        """The field as it is now."""
        state = self.state
        return FittedField(state.field, self.prepared, self.config, state.step, state.seconds, tuple(state.history))


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
        support_of(surface, transform, geometry.noise, kept.colors),
        surface,
        {**measured.facts, **evidence.facts, **facts},
        measured=_array(local / half),
        held_out=np.random.default_rng(config.seed).random(len(points)) < config.prepare.held_out_share,
    )


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()


def resolve_for(prepared: PreparedScan, config: FitConfig, device: str) -> FitConfig:
    """The configuration with every open value chosen for a scan and a device (`fastsdf.settings`)."""
    return resolve_settings(
        config,
        spacing_m=prepared.facts["spacing_m"],
        area_m2=prepared.facts["area_m2"],
        half_extent_m=prepared.transform.half_extent_m,
        device=device,
        oriented=bool(prepared.surface.confidence.any()),
        rounds=prepared.facts["smoothing_rounds"],
    )


def start_fit(prepared: PreparedScan, config: FitConfig) -> Session:
    """A session at step 0: settings chosen, field initialised and warm-started.

    Raises:
        ConfigError, BackendUnavailable: if the device or backend cannot be had, or settings contradict each other.
    """
    device = choose_device(config.device)
    resolved = resolve_for(prepared, config, device)
    spec = FieldSpec.from_config(resolved.field, prepared.transform.half_extent_m)
    backend, reason = choose_backend(resolved, device, spec.grid)
    state = new_state(spec, prepared.training, resolved, backend, device)
    lower, upper = (
        torch.as_tensor(c, dtype=state.field.table.dtype, device=device)
        for c in (prepared.surface.lower, prepared.surface.upper)
    )
    warm_start(
        state.field,
        start_shape(resolved.scene, lower, upper),
        (lower, upper),
        min(resolved.training.levels.first, spec.grid.num_levels),
        resolved.training.warm_start_steps,
        state.sampler.generator,
    )
    return Session(resolved, prepared, state, device, reason)


def new_state(spec: FieldSpec, surface: SurfacePoints, config: FitConfig, backend: Backend, device: str) -> TrainState:
    """An untrained field on its device with its sampler and optimiser."""
    settle_vector_math()
    dtype = torch.float64 if config.precision == "float64" else torch.float32
    field = HashGridSDF(spec, backend, torch.Generator().manual_seed(config.seed)).to(device, dtype)
    sampler = Sampler(surface, config.sampling, device, dtype, config.seed + 1)
    return make_state(field, sampler, config)
