# SPDX-License-Identifier: MIT
"""Computes the minimum time of a training step on a GPU, and compares measured times with it.

    python -m benchmarks.speed.roofline
    python -m benchmarks.speed.roofline --rows runs/step.csv --measure

The minimum follows from the smallest possible amount of memory traffic and arithmetic, and from the ceilings of the
GPU (`ceilings`): those of an H100 80GB, or with ``--measure`` those of this machine's GPU. This is a roofline model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.shared.harness import markdown, read_rows
from benchmarks.speed.ceilings import H100, Ceilings, measured_ceilings
from fastsdf.field.hash_grid import GridSpec
from fastsdf.system.device import describe_device

SETTINGS = ("h = 1 finest cell", "h = 1/256")
FORWARD_OPERATIONS = 180  # float32 operations per hidden unit: the softplus of a value and of six differences
BACKWARD_OPERATIONS = 270  # float32 operations per hidden unit: the same again, and the gradients
ADAM_BYTES = 28  # bytes per weight: four float32 numbers read and three written


@dataclass(frozen=True)
class Work:
    """The minimum work of one part of a step.

    Attributes:
        bytes: bytes that cross the memory bus if every array is read or written once.
        gathers: reads of table entries.
        atomics: atomic additions to table entries.
        fp16, fp32: floating-point operations; a multiplication and an addition count as two.
    """

    bytes: float = 0.0
    gathers: float = 0.0
    atomics: float = 0.0
    fp16: float = 0.0
    fp32: float = 0.0

    def bounds_ms(self, ceilings: Ceilings) -> dict[str, float]:
        """Minimum time due to each resource alone, milliseconds."""
        names = ("bytes", "gathers", "atomics", "fp16", "fp32")
        return {name: 1e3 * getattr(self, name) / getattr(ceilings, name) for name in names}


def distinct_corners(delta: float) -> float:
    """Mean number of distinct grid nodes that a central stencil of seven taps uses on one level.

    The centre lies anywhere in its cell, and the taps are ``delta`` cells away. The cell of the centre has 8 nodes. A
    tap in the next cell shares the 4 nodes of one face with it and adds 4; a tap farther away adds 8. On average a tap
    adds 4 delta nodes, at most 8, so the six taps add 24 delta nodes, at most 48.
    """
    return min(8 + 24 * delta, 56.0)


def gathered_corners(delta: float) -> float:
    """Table entries that the kernels access per point: the taps share them up to delta = 1 and not beyond."""
    return distinct_corners(delta) if delta <= 1 else 56.0


def step_work(grid: GridSpec, width: int, layers: int, points: int, step: float) -> dict[str, Work]:
    """The minimum work of each part of a fused step, by the names of `step.py`; ``step`` is h in edges of the cube."""
    entry_bytes = 4 * grid.features_per_level
    corners = points * sum(gathered_corners(step * scale) for scale in grid.scales)
    touched = sum(min(points * distinct_corners(step * s), n) for s, n in zip(grid.scales, grid.sizes, strict=True))
    encoded = points * grid.num_features * (4 + 6 * 2)  # values in float32, six differences in float16
    positions, results = 12 * points, 20 * points
    once, again = network_products(grid, width, layers)
    units = points * width * layers
    return {
        "encoding forward": Work(bytes=positions + touched * entry_bytes + encoded, gathers=corners),
        "network forward": Work(
            bytes=positions + encoded + results, fp16=points * once, fp32=units * FORWARD_OPERATIONS
        ),
        "network backward": Work(
            bytes=positions + results + 2 * encoded, fp16=points * (once + again), fp32=units * BACKWARD_OPERATIONS
        ),
        "encoding backward": Work(bytes=positions + encoded + 2 * touched * entry_bytes, atomics=corners),
        "zeroed gradient of the table": Work(bytes=grid.num_entries * entry_bytes),
        "adam of the table": Work(bytes=grid.num_entries * grid.features_per_level * ADAM_BYTES),
    }


def network_products(grid: GridSpec, width: int, layers: int) -> tuple[float, float]:
    """Floating-point operations per point of the matrix products: of a forward pass, and of the gradients.

    The value at the centre is split into float16 halves and takes three products; each of the six differences takes
    one. Each of the seven gradients takes one product with respect to the inputs and one with respect to the weights.
    """
    weights = (3 + grid.num_features) * width + (layers - 1) * width**2
    return 2 * (3 + 6) * weights, 2 * 2 * 7 * weights


def compare(
    parts: dict[str, Work], ceilings: Ceilings, measured: dict[str, float] | None = None
) -> list[dict[str, str]]:
    """A table row per part: its work, minimum time, limiting resource, and measured time if given."""
    rows = []
    for name, work in parts.items():
        bounds = work.bounds_ms(ceilings)
        resource = max(bounds, key=lambda key: bounds[key])
        row = {
            "part": name,
            "MB": f"{work.bytes / 1e6:.0f}",
            "gathers M": f"{work.gathers / 1e6:.1f}",
            "atomics M": f"{work.atomics / 1e6:.1f}",
            "fp16 GFLOP": f"{work.fp16 / 1e9:.1f}",
            "fp32 GFLOP": f"{work.fp32 / 1e9:.1f}",
            "floor ms": f"{bounds[resource]:.3f}",
            "bound by": resource,
        }
        if measured is not None:
            time = measured.get(name)
            row["ms"] = f"{time:.3f}" if time else ""
            row["of possible"] = f"{bounds[resource] / time:.0%}" if time else ""
        rows.append(row)
    return rows


def measured_ms(path: Path, setting: str) -> dict[str, float]:
    """Median times of the Triton backend for a setting, milliseconds, from the CSV file of `step.py`."""
    rows = [row for row in read_rows(path)[1] if row["implementation"] == "triton" and row["setting"] == setting]
    return {row["what"]: float(row["median_ms"]) for row in rows if row["median_ms"] and not row["tile"]}


def main(
    rows: Annotated[Path | None, typer.Option(help="CSV file written by step.py")] = None,
    measure_device: Annotated[bool, typer.Option("--measure", help="measure the ceilings of this GPU")] = False,
    points: int = 1 << 18,
    levels: int = 16,
    log2_table_size: int = 19,
    base: int = 16,
    finest: int = 2048,
    width: int = 64,
    layers: int = 2,
) -> None:
    """Prints the minimum time of every part of a step, next to measured times if given."""
    grid = GridSpec(levels, 2, log2_table_size, base, finest)
    ceilings = measured_ceilings() if measure_device else H100
    device = describe_device("cuda") if measure_device else "H100"
    typer.echo(f"{device}, per second: {ceilings}")
    for setting, step in zip(SETTINGS, (grid.cell_size(levels), 1 / 256), strict=True):
        found = measured_ms(rows, setting) if rows else None
        parts = step_work(grid, width, layers, points, step)
        table = compare(parts, ceilings, found)
        floor = sum(float(row["floor ms"]) for row in table[:-1])
        typer.echo(f"\n{setting}: {points} points, floor of forward and backward {floor:.2f} ms\n\n{markdown(table)}")
        access = sum(work.gathers + work.atomics for work in parts.values())
        typer.echo(
            f"\nGathers and additions in one table of 67 MB would take {1e3 * access / ceilings.far_gathers:.2f} ms"
        )
        if found and "step7" in found:
            best = min(found[name] for name in ("step7", "step7 graph") if name in found)
            typer.echo(f"\nstep7 {best:.3f} ms, {floor / best:.0%} of possible")


if __name__ == "__main__":
    typer.run(main)
