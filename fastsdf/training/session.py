# SPDX-License-Identifier: MIT
"""Sets up a fit of a prepared scan: settings, backend, initial weights and start shape."""

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
    """A fit in progress: everything that is needed to continue training or to extract a mesh.

    Attributes:
        config: resolved configuration.
        prepared: the scan.
        state: field, sampler and optimiser.
        device: torch device of the field.
        backend_reason: why the backend was chosen, for the report.
    """

    config: FitConfig
    prepared: PreparedScan
    state: TrainState
    device: str
    backend_reason: str


def resolve_for(prepared: PreparedScan, config: FitConfig, device: str) -> FitConfig:
    """The configuration with every unset value chosen for a scan and a device (`fastsdf.config.resolve`)."""
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
    """Starts a fit: chooses settings and backend, initialises the field and trains it to the start shape.

    Raises:
        ConfigError: if the device does not exist, or settings contradict each other.
        BackendUnavailable: if the backend cannot run.
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
    """An untrained field on a device, with its sampler and optimiser."""
    settle_vector_math()
    dtype = torch.float64 if config.precision == "float64" else torch.float32
    field = HashGridSDF(spec, backend, torch.Generator().manual_seed(config.seed)).to(device, dtype)
    sampler = Sampler(surface, config.sampling, device, dtype, config.seed + 1)
    return make_state(field, sampler, config)
