# SPDX-License-Identifier: MIT
"""What fits into a memory budget: a model of the peaks of a fit's stages, and the settings that keep below it.

The model is of a CPU, where everything lies in the memory of the process; docs/notebook/2026-11-25-presets-and-budgets.md holds the measurements that
its constants come from, which it should not fall below. What is resident when a stage begins is known, not modelled.
"""

import math
from dataclasses import replace
from typing import NamedTuple

from fastsdf.field.network import FieldSpec

GIB = 2.0**30
PREPARE_BYTES, PREPARE_BYTES_PER_POINT = 0.14 * GIB, 1800.0
MANY_POINTS, PREPARE_BYTES_PER_FURTHER_POINT = 250_000, 1000.0  # what is held for pieces only does not grow with them
START_BYTES = 0.16 * GIB  # compiled kernels, and the pool while it is made
TABLE_BYTES_PER_VALUE = 20.0  # value, gradient, two moments, decay, a copy
POOL_BYTES_PER_POINT = 72.0
STEP_BYTES_PER_POINT = 4500.0
MESH_BYTES, MESH_BYTES_PER_CELL = 0.15 * GIB, 560.0
MIN_LOG2_TABLE, MIN_POOL, MAX_COARSENING = 14, 100_000, 4.0
SHARES = (1.0, 0.5, 0.25)


class Sizes(NamedTuple):
    """What a fit holds in memory.

    Attributes:
        points: of the scan.
        values: of the grid's table.
        pool: near points.
        step_points: points of a training step.
        cells: of the mesh that the surface touches.
    """

    points: int
    values: int
    pool: int
    step_points: int
    cells: float


def prepare_bytes(resident: float, points: int) -> float:
    """Peak of preparing a scan in a process that holds ``resident`` bytes with the scan as read."""
    few, further = min(points, MANY_POINTS), max(points - MANY_POINTS, 0)
    return resident + PREPARE_BYTES + PREPARE_BYTES_PER_POINT * few + PREPARE_BYTES_PER_FURTHER_POINT * further


def train_bytes(resident: float, sizes: Sizes) -> float:
    """Peak of start and training in a process that holds ``resident`` bytes with the prepared scan."""
    held = TABLE_BYTES_PER_VALUE * sizes.values + POOL_BYTES_PER_POINT * sizes.pool
    return resident + START_BYTES + held + STEP_BYTES_PER_POINT * sizes.step_points


def mesh_bytes(resident: float, sizes: Sizes) -> float:
    """Peak of the mesh after training; what training held stays."""
    return train_bytes(resident, sizes) + MESH_BYTES + MESH_BYTES_PER_CELL * sizes.cells


def table_values(spec: FieldSpec, log2_table: int) -> int:
    """Values of a spec's grid with another size of its tables."""
    grid = replace(spec.grid, log2_table_size=log2_table)
    return grid.num_entries * grid.features_per_level


class MemoryPlan(NamedTuple):
    """Settings that a budget allows.

    Attributes:
        log2_table: of the grid.
        pool: most near points.
        share: of the usual points per step.
        coarsening: of the mesh's cells.
        peak: predicted, bytes.
    """

    log2_table: int
    pool: int
    share: float
    coarsening: float
    peak: float


def plan_memory(budget: float, resident: float, spec: FieldSpec, sizes: Sizes) -> MemoryPlan | None:
    """The first of ever smaller settings that fits; None: none does.

    First the pool of near points is made smaller, then the mesh's cells larger, then tables smaller, at last steps.

    Args:
        budget: bytes.
        resident: bytes that the process holds with the prepared scan.
        spec: the field as chosen without a budget.
        sizes: what it would hold.
    """
    for plan in _ladder(resident, spec, sizes):
        if plan.peak <= budget:
            return plan
    return None


def least_bytes(resident: float, spec: FieldSpec, sizes: Sizes) -> float:
    """The smallest budget that would do."""
    return min(plan.peak for plan in _ladder(resident, spec, sizes))


def _ladder(resident: float, spec: FieldSpec, sizes: Sizes) -> list[MemoryPlan]:
    """Ever smaller settings with their peaks."""
    table = spec.grid.log2_table_size
    rungs = [(table, sizes.pool, 1.0, 1.0), (table, min(sizes.pool, MIN_POOL), 1.0, 1.0)]
    coarsenings = [2.0 ** (k / 4) for k in range(1, round(4 * math.log2(MAX_COARSENING)) + 1)]
    pool = min(sizes.pool, MIN_POOL)
    rungs += [(table, pool, 1.0, coarsening) for coarsening in coarsenings]
    rungs += [(log2, pool, 1.0, MAX_COARSENING) for log2 in range(table - 1, MIN_LOG2_TABLE - 1, -1)]
    rungs += [(min(table, MIN_LOG2_TABLE), pool, share, MAX_COARSENING) for share in SHARES[1:]]
    return [MemoryPlan(*rung, peak=_peak(resident, spec, sizes, *rung)) for rung in rungs]


def _peak(
    resident: float, spec: FieldSpec, sizes: Sizes, log2_table: int, pool: int, share: float, coarsening: float
) -> float:
    smaller = sizes._replace(
        values=table_values(spec, log2_table),
        pool=pool,
        step_points=round(share * sizes.step_points),
        cells=sizes.cells / coarsening**2,
    )
    return mesh_bytes(resident, smaller)
