# SPDX-License-Identifier: MIT
"""From a prepared scan to a field at step 0: settings, backend, weights and start shape."""

from dataclasses import dataclass

import torch

from fastsdf.config.models import FitConfig
from fastsdf.config.resolve import resolve_settings
from fastsdf.field.backends.base import Backend
from fastsdf.field.backends.selection import choose_backend
from fastsdf.field.network import FieldSpec, HashGridSDF
from fastsdf.prepare.prepared_scan import PreparedScan, SurfacePoints
from fastsdf.system.device import choose_device, settle_vector_math
from fastsdf.training.sampling import Sampler
from fastsdf.training.step import TrainState, make_state
from fastsdf.training.warm_start import start_shape, warm_start


@dataclass(frozen=True)
class Session:
    """A fit under way: what is needed to go on training or to mesh."""

    config: FitConfig
    prepared: PreparedScan
    state: TrainState
    device: str
    backend_reason: str


def resolve_for(prepared: PreparedScan, config: FitConfig, device: str) -> FitConfig:
    """The configuration with every open value chosen for a scan and a device (`fastsdf.config.resolve`)."""
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
