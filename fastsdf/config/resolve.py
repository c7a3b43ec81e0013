# SPDX-License-Identifier: MIT
"""Chooses the settings that a configuration does not set, from the scan and the device."""

import math
from typing import Any, TypeVar

from pydantic import BaseModel

from fastsdf.config.models import FitConfig

# Dates name pages of docs/notebook with the measurements; "not swept" marks a plain choice.
VOXEL_SPACINGS = {"cuda": 0.6, "cpu": 0.75}  # median spacings; finest cell; 2026-11-25-planes-and-decay: 0.45 is worse
STEPS = {"cuda": 3000, "cpu": 1500}  # training steps for one room; 2026-11-25-time-and-memory: more buy flat walls only
STEPS_GROWTH = 0.4  # exponent of the growth of steps with the number of cells (GPU); not swept
MAX_STEPS_GROWTH = 2.0  # times STEPS at most; 2026-11-25-normal-weights: 6,000 steps for the apartment
ROOM_CELLS = 1.5e6  # finest cells that the surface of a large room touches; STEPS is for it
BATCH = {  # surface, near and uniform points per step; 2026-11-25-planes-and-decay: twice as many gain nothing
    "cuda": (32768, 16384, 16384),
    "cpu": (4096, 2048, 1024),
}
LOG2_TABLE_RANGE = {"cuda": (15, 21), "cpu": (14, 18)}  # log2 of entries per level; bounds memory; not swept
LEVEL_GROWTH = {"cuda": 1.4, "cpu": 1.6}  # ratio of cell sizes of neighbouring levels; fewer levels are faster
ENTRIES_PER_SURFACE_CELL = {"cuda": 0.75, "cpu": 1.5}  # table entries per finest cell on the surface; not swept
MESH_FACES = 10_000_000  # faces; bounds the mesh of large scans
FACES_PER_SURFACE_CELL = 1.6  # marching-cubes faces per (cell edge)^2 of surface; estimated
GRID_WIDTH = 2.5  # width of the grid in half extents of the scene; twice `fastsdf.field.network.GRID_REACH`
MAX_LEVELS = 24  # levels; upper bound of ``field.num_levels``
UNLOCK_END_ORIENTED = 0.0  # progress; the sign is known, so all levels can start at once; not swept
UNLOCK_END_UNORIENTED = 0.5  # progress; fine levels too early would lose the start shape; not swept
LEVEL_DECAY_ORIENTED_ROOM = 20.0  # of the finest level; 2026-11-25-planes-and-decay: flattens walls; 20 not swept

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
    """Returns a configuration in which every value is set; values that are set already stay.

    - Finest cell: in proportion to the median point spacing, no larger than a cell of the coarsest level.
    - Table: in proportion to the number of finest cells that the scanned area touches.
    - Levels: as many as a ratio of cell sizes of 1.4 (1.6 on a CPU) needs.
    - Batch and steps: by the device; on a GPU steps also grow with the number of cells.
    - Weight decay of fine levels: only in rooms where the side of the air is known; elsewhere it would weaken the start
      shape, which must last.
    - Mesh cells: those of the finest level, no smaller than for about ten million faces.

    The factors ``voxel_spacings``, ``steps_factor`` and ``voxel_cells`` apply to the chosen values.

    Args:
        config: the settings that the user chose.
        spacing_m: median local point spacing.
        area_m2: estimated scanned area.
        half_extent_m: half the longest side of the scene.
        device: resolved device name.
        oriented: whether the side of the air is known.
        rounds: number of smoothing rounds (`fastsdf.prepare.local_geometry.smoothing_rounds`).
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    coarsest = GRID_WIDTH * half_extent_m / (config.field.base_resolution - 1)
    spacings = config.field.voxel_spacings or VOXEL_SPACINGS[kind]
    voxel = config.field.voxel_size_m or min(spacings * spacing_m, coarsest)
    across = max(GRID_WIDTH * half_extent_m / voxel, config.field.base_resolution)
    levels = 1 + math.ceil(math.log(across / config.field.base_resolution) / math.log(LEVEL_GROWTH[kind]))
    low, high = LOG2_TABLE_RANGE[kind]
    log2_table = min(max(math.ceil(math.log2(ENTRIES_PER_SURFACE_CELL[kind] * area_m2 / voxel**2)), low), high)
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
            "min_component_area_m2": 50 * spacing_m**2,  # the area of about 50 scan points; not swept
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
    """Training steps: `STEPS` of the device; on a GPU up to twice as many for scans larger than a room."""
    growth = (surface_cells / ROOM_CELLS) ** STEPS_GROWTH if kind == "cuda" else 1.0
    return max(round(config.training.steps_factor * STEPS[kind] * min(max(growth, 1.0), MAX_STEPS_GROWTH)), 1)


def _fill(config: FitConfig, chosen: dict[str, dict[str, Any]]) -> FitConfig:
    """Sets the chosen values where the configuration has None."""
    return config.model_copy(
        update={name: _fill_section(getattr(config, name), values) for name, values in chosen.items()}
    )


def _fill_section(section: Section, chosen: dict[str, Any]) -> Section:
    return section.model_copy(update={k: v for k, v in chosen.items() if getattr(section, k) is None})
