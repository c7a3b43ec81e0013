# SPDX-License-Identifier: MIT
"""Predicts the peak memory of the stages of a fit, and chooses settings that keep it within a budget.

The model holds for a CPU, where everything lies in the memory of the process. Its constants come from the measurements
in docs/notebook/2026-11-25-presets-and-budgets.md and are upper bounds of them. The memory that is resident when a
stage begins is measured, not modelled.
"""

import math
from dataclasses import replace
from typing import NamedTuple

from fastsdf.field.network import FieldSpec

GIB = 2.0**30  # bytes
PREPARE_BYTES = 0.14 * GIB  # fixed part of preparing a scan; measured
PREPARE_BYTES_PER_POINT = 1800.0  # bytes for each of the first MANY_POINTS points; measured
MANY_POINTS = 250_000  # points; beyond them, arrays that are processed in pieces no longer grow
PREPARE_BYTES_PER_FURTHER_POINT = 1000.0  # bytes for each point beyond MANY_POINTS; measured
START_BYTES = 0.16 * GIB  # compiled kernels, and the pool of near points while it is made; measured
TABLE_BYTES_PER_VALUE = 20.0  # bytes; value, gradient, two moments, decay and a copy
POOL_BYTES_PER_POINT = 72.0  # bytes; measured
STEP_BYTES_PER_POINT = 4500.0  # bytes; measured
MESH_BYTES = 0.15 * GIB  # fixed part of extracting a mesh; measured
MESH_BYTES_PER_CELL = 560.0  # bytes per mesh cell that the surface touches; measured
MIN_LOG2_TABLE = 14  # log2 of entries per level; the smallest table that is chosen on a CPU without a budget
MIN_POOL = 100_000  # near points; chosen, not swept
MAX_COARSENING = 4.0  # factor on the edge of the mesh cells; chosen, not swept
SHARES = (1.0, 0.5, 0.25)  # shares of the points per step that are tried in turn


class Sizes(NamedTuple):
    """Sizes that determine the memory of a fit.

    Attributes:
        points: number of points of the scan.
        values: number of values in the tables of the grid.
        pool: number of points in the pool of near points.
        step_points: number of points per training step.
        cells: number of mesh cells that the surface touches.
    """

    points: int
    values: int
    pool: int
    step_points: int
    cells: float


def prepare_bytes(resident: float, points: int) -> float:
    """Predicts the peak bytes of preparing a scan; the process holds ``resident`` bytes after reading it."""
    first, further = min(points, MANY_POINTS), max(points - MANY_POINTS, 0)
    return resident + PREPARE_BYTES + PREPARE_BYTES_PER_POINT * first + PREPARE_BYTES_PER_FURTHER_POINT * further


def train_bytes(resident: float, sizes: Sizes) -> float:
    """Predicts the peak bytes of training; the process holds ``resident`` bytes with the prepared scan."""
    held = TABLE_BYTES_PER_VALUE * sizes.values + POOL_BYTES_PER_POINT * sizes.pool
    return resident + START_BYTES + held + STEP_BYTES_PER_POINT * sizes.step_points


def mesh_bytes(resident: float, sizes: Sizes) -> float:
    """Predicts the peak bytes of extracting the mesh; the memory of training is still held."""
    return train_bytes(resident, sizes) + MESH_BYTES + MESH_BYTES_PER_CELL * sizes.cells


def table_values(spec: FieldSpec, log2_table: int) -> int:
    """Number of table values of a field's grid with another table size."""
    grid = replace(spec.grid, log2_table_size=log2_table)
    return grid.num_entries * grid.features_per_level


class MemoryPlan(NamedTuple):
    """Settings that keep within a memory budget.

    Attributes:
        log2_table: log2 of the table entries per level.
        pool: largest size of the pool of near points.
        share: share of the usual points per step.
        coarsening: factor on the edge of the mesh cells.
        peak: predicted peak memory, bytes.
    """

    log2_table: int
    pool: int
    share: float
    coarsening: float
    peak: float


def plan_memory(budget: float, resident: float, spec: FieldSpec, sizes: Sizes) -> MemoryPlan | None:
    """Returns the first of a series of ever smaller settings that fits the budget, or None if none fits.

    The series first reduces the pool of near points, then coarsens the mesh, then reduces the tables, and finally the
    points per step.

    Args:
        budget: bytes.
        resident: bytes that the process holds with the prepared scan.
        spec: the field chosen without a budget.
        sizes: sizes of the fit without a budget.
    """
    for plan in _candidates(resident, spec, sizes):
        if plan.peak <= budget:
            return plan
    return None


def min_bytes(resident: float, spec: FieldSpec, sizes: Sizes) -> float:
    """Returns the smallest budget in bytes that `plan_memory` can meet."""
    return min(plan.peak for plan in _candidates(resident, spec, sizes))


def _candidates(resident: float, spec: FieldSpec, sizes: Sizes) -> list[MemoryPlan]:
    """Ever smaller settings with their predicted peaks."""
    table = spec.grid.log2_table_size
    settings = [(table, sizes.pool, 1.0, 1.0), (table, min(sizes.pool, MIN_POOL), 1.0, 1.0)]
    coarsenings = [2.0 ** (k / 4) for k in range(1, round(4 * math.log2(MAX_COARSENING)) + 1)]
    pool = min(sizes.pool, MIN_POOL)
    settings += [(table, pool, 1.0, coarsening) for coarsening in coarsenings]
    settings += [(log2, pool, 1.0, MAX_COARSENING) for log2 in range(table - 1, MIN_LOG2_TABLE - 1, -1)]
    settings += [(min(table, MIN_LOG2_TABLE), pool, share, MAX_COARSENING) for share in SHARES[1:]]
    return [MemoryPlan(*setting, peak=_peak(resident, spec, sizes, *setting)) for setting in settings]


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
