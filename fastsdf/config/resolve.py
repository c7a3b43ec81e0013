# SPDX-License-Identifier: MIT
"""Chooses what a configuration leaves open, from the scan and the device; the only place that does."""

import math
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from fastsdf.config.models import FitConfig

if TYPE_CHECKING:
    pass

VOXEL_SPACINGS = {"cuda": 0.6, "cpu": 0.75}
STEPS = {"cuda": 3000, "cpu": 1500}
STEPS_GROWTH = 0.4
MOST_STEPS = 2.0
ROOM_CELLS = 1.5e6
BATCH = {"cuda": (32768, 16384, 16384), "cpu": (4096, 2048, 1024)}
LOG2_TABLE_RANGE = {"cuda": (15, 21), "cpu": (14, 18)}
LEVEL_GROWTH = {"cuda": 1.4, "cpu": 1.6}
CELLS_PER_SURFACE_CELL = {"cuda": 0.75, "cpu": 1.5}
MESH_FACES = 10_000_000
FACES_PER_SURFACE_CELL = 1.6
GRID_WIDTH = 2.5
MAX_LEVELS = 24
UNLOCK_END_ORIENTED = 0.0
UNLOCK_END_UNORIENTED = 0.5
LEVEL_DECAY_ORIENTED_ROOM = 20.0

Section = TypeVar("Section", bound=BaseModel)


def resolve_settings(
    config: FitConfig,
    *,
    spacing_m: float,
    area_m2: float,
    half_extent_m: float,
    device: str,
    oriented: bool = True,
    rounds: int = 2,
) -> FitConfig:
    """A configuration with every open value chosen.

    The finest cell follows the median point spacing, but is no coarser than the base level's; the table holds the cells
    that the scan's area touches at that size; levels grow by about 1.4 (1.6 on a CPU); batch and step counts follow the
    device type, on a GPU steps the number of cells too. Fine levels decay in rooms whose side of the air is known;
    elsewhere the start shape must last. Mesh cells are those of the finest level, but no smaller than for about ten
    million faces. The configuration's factors (``voxel_spacings``, ``steps_factor``, ``voxel_cells``) apply to what is
    chosen.

    Args:
        config: as asked for.
        spacing_m: median local point spacing.
        area_m2: estimated scanned area.
        half_extent_m: half of the longest side of the scene.
        device: resolved device name.
        oriented: whether the side of the air is known.
        rounds: of smoothing, see `smoothing_rounds`.
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    coarsest = GRID_WIDTH * half_extent_m / (config.field.base_resolution - 1)
    spacings = config.field.voxel_spacings or VOXEL_SPACINGS[kind]
    voxel = config.field.voxel_size_m or min(spacings * spacing_m, coarsest)
    across = max(GRID_WIDTH * half_extent_m / voxel, config.field.base_resolution)
    levels = 1 + math.ceil(math.log(across / config.field.base_resolution) / math.log(LEVEL_GROWTH[kind]))
    low, high = LOG2_TABLE_RANGE[kind]
    log2_table = min(max(math.ceil(math.log2(CELLS_PER_SURFACE_CELL[kind] * area_m2 / voxel**2)), low), high)
    surface, near, uniform = BATCH[kind]
    mesh_voxel = max(config.mesh.voxel_cells * voxel, math.sqrt(FACES_PER_SURFACE_CELL * area_m2 / MESH_FACES))
    chosen: dict[str, dict[str, Any]] = {
        "prepare": {"smoothing_rounds": rounds},
        "field": {
            "voxel_size_m": voxel,
            "voxel_spacings": spacings,
            "num_levels": min(max(levels, 2), MAX_LEVELS),
            "log2_table_size": log2_table,
        },
        "sampling": {"surface_points": surface, "near_points": near, "uniform_points": uniform},
        "training": {"steps": _steps(config, kind, area_m2 / voxel**2)},
        "mesh": {
            "voxel_size_m": mesh_voxel,
            "min_component_area_m2": 50 * spacing_m**2,
        },
    }
    filled = _fill(config, chosen)
    training = filled.training
    levels = _fill_section(training.levels, {"unlock_end": UNLOCK_END_ORIENTED if oriented else UNLOCK_END_UNORIENTED})
    rate = _fill_section(
        training.rate, {"level_decay": LEVEL_DECAY_ORIENTED_ROOM if oriented and config.scene == "room" else 0.0}
    )
    training = training.model_copy(update={"levels": levels, "rate": rate})
    return filled.model_copy(update={"training": training})


def _steps(config: FitConfig, kind: str, surface_cells: float) -> int:
    """Training steps: those of the device for a room, on a GPU more for larger scans, up to twice as many."""
    growth = (surface_cells / ROOM_CELLS) ** STEPS_GROWTH if kind == "cuda" else 1.0
    return max(round(config.training.steps_factor * STEPS[kind] * min(max(growth, 1.0), MOST_STEPS)), 1)


def _fill(config: FitConfig, chosen: dict[str, dict[str, Any]]) -> FitConfig:
    """Sets the chosen values where the configuration holds None."""
    return config.model_copy(update={n: _fill_section(getattr(config, n), values) for n, values in chosen.items()})


def _fill_section(section: Section, chosen: dict[str, Any]) -> Section:
    return section.model_copy(update={k: v for k, v in chosen.items() if getattr(section, k) is None})
