# SPDX-License-Identifier: MIT
"""Statistics of a scan and the settings that a fit would choose for it, without fitting."""

from typing import Any

import numpy as np

from fastsdf.config.models import FitConfig
from fastsdf.config.resolve import resolve_settings
from fastsdf.field.backends.selection import choose_backend
from fastsdf.field.network import FieldSpec
from fastsdf.geometry import PointCloud
from fastsdf.numerics.quantiles import quantiles
from fastsdf.prepare.local_geometry import smoothing_rounds
from fastsdf.prepare.measure import LEFT_OUT, MeasuredScan
from fastsdf.prepare.orientation.select import Evidence
from fastsdf.system.device import choose_device

Row = tuple[str, Any, str]


def inspect_scan(cloud: PointCloud, measured: MeasuredScan, evidence: Evidence, config: FitConfig) -> dict[str, Any]:
    """Returns statistics of a scan and the settings of a fit, as plain values that JSON can hold.

    Lengths are in metres. Spacing, noise, density and area are those of the points inside the scene's box, which a fit
    uses; ``bounds_m`` covers all points.

    Args:
        cloud: the scan.
        measured, evidence: results of preparing it (`fastsdf.prepare.pipeline`).
        config: the settings that the user chose; values left open are resolved as in a fit.

    Raises:
        ConfigError, BackendUnavailable: the device or backend in the configuration cannot be used.
    """
    device, geometry = choose_device(config.device), measured.geometry
    return {
        **measured.facts,
        **evidence.facts,
        "bounds_m": [cloud.points.min(axis=0).tolist(), cloud.points.max(axis=0).tolist()],
        "spacing_quantiles_m": quantiles(geometry.spacing, (0.05, 0.5, 0.95)).tolist(),
        "density_per_m2": geometry.median_spacing**-2,
        "sensor_positions": 0 if cloud.sensors is None else _count_positions(cloud.sensors),
        "normals": cloud.normals is not None,
        "colors": cloud.colors is not None,
        "views": 0 if cloud.views is None else len(np.unique(cloud.views)),
        "fit": _choices(measured, config, device),
    }


def _choices(measured: MeasuredScan, config: FitConfig, device: str) -> dict[str, Any]:
    half_extent_m = measured.transform.half_extent_m
    resolved = resolve_settings(
        config,
        spacing_m=measured.facts["spacing_m"],
        area_m2=measured.geometry.area,
        half_extent_m=half_extent_m,
        device=device,
        rounds=smoothing_rounds(config, measured.geometry),
    )
    grid = FieldSpec.from_config(resolved.field, half_extent_m).grid
    backend, reason = choose_backend(resolved, device, grid)
    return {
        "device": device,
        "backend": backend.info.name,
        "backend_reason": reason,
        "voxel_size_m": resolved.field.voxel_size_m,
        "mesh_voxel_size_m": resolved.mesh.voxel_size_m,
        "num_levels": grid.num_levels,
        "table_entries_per_level": 1 << grid.log2_table_size,
        "grid_parameters": grid.num_entries * grid.features_per_level,
        "steps": resolved.training.steps,
    }


def _count_positions(sensors: np.ndarray) -> int:
    """Number of distinct rows of (n, 3); dropping repeats of the row before first saves most of the sorting."""
    starts = np.append(True, (sensors[1:] != sensors[:-1]).any(axis=1))
    return len(np.unique(sensors[starts], axis=0))


def inspection_rows(facts: dict[str, Any]) -> list[Row]:
    """Returns the values of `inspect_scan` as rows (name, value, unit)."""
    fit, spacings = facts["fit"], facts["spacing_quantiles_m"]
    low, high = (", ".join(f"{value:.2f}" for value in corner) for corner in facts["bounds_m"])
    return [
        ("points", facts["points"], ""),
        ("points in the scene's box", facts["points_in_box"], ""),
        *((name, 100 * facts[key], "%") for key, name in LEFT_OUT.items()),
        ("lowest corner of all points", low, "m"),
        ("highest corner of all points", high, "m"),
        ("extent of the box", " x ".join(f"{value:.2f}" for value in facts["extent_m"]), "m"),
        ("spacing (5%, median, 95%)", ", ".join(f"{1e3 * value:.3g}" for value in spacings), "mm"),
        ("noise", 1e3 * facts["noise_m"], "mm"),
        ("density", facts["density_per_m2"], "points/m^2"),
        ("area seen", facts["area_m2"], "m^2"),
        ("sensor positions", facts["sensor_positions"], ""),
        ("normals", facts["normals"], ""),
        ("colours", facts["colors"], ""),
        ("views named by the points", facts["views"], ""),
        ("inside/outside evidence", facts["inside_outside_evidence"], ""),
        ("fit: device", fit["device"], ""),
        ("fit: backend", fit["backend"], ""),
        ("fit: finest cell", 1e3 * fit["voxel_size_m"], "mm"),
        ("fit: mesh cell", 1e3 * fit["mesh_voxel_size_m"], "mm"),
        ("fit: levels", fit["num_levels"], ""),
        ("fit: table entries per level", fit["table_entries_per_level"], ""),
        ("fit: grid parameters", fit["grid_parameters"], ""),
        ("fit: steps", fit["steps"], ""),
    ]
