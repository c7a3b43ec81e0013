# SPDX-License-Identifier: MIT
"""What a training step must do at least, how long a GPU needs for that, and how near measured times come to it.

    python -m benchmarks.speed.roofline
    python -m benchmarks.speed.roofline --rows runs/step.csv --measure

The ceilings are those of an H100 80GB, or with ``--measure`` of the device at hand (`ceilings`).
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
FORWARD_OPERATIONS = 180  # float32 operations per hidden unit: a value and six differences through the softplus
BACKWARD_OPERATIONS = 270  # the same again, and their gradients
ADAM_BYTES = 28  # per weight: four numbers read, three written


@dataclass(frozen=True)
class Work:
    """What a part of a step does at least.

    Attributes:
        bytes: that cross the memory bus if every array is read or written once.
        gathers, atomics: of table entries.
        fp16, fp32: floating-point operations, a multiplication and an addition each count.
    """

    bytes: float = 0.0
    gathers: float = 0.0
    atomics: float = 0.0
    fp16: float = 0.0
    fp32: float = 0.0

    def bounds_ms(self, ceilings: Ceilings) -> dict[str, float]:
        """Milliseconds that each resource needs by itself."""
        names = ("bytes", "gathers", "atomics", "fp16", "fp32")
        return {name: 1e3 * getattr(self, name) / getattr(ceilings, name) for name in names}


def distinct_corners(delta: float) -> float:
    """Nodes that a central stencil of seven taps touches on average on one level.

    With the centre anywhere in its cell and taps ``delta`` cells away: the centre's cell has 8. A tap shares its face
    of 4 with that cell while it lies in the next one, and adds 8 nodes beyond; either way its mean share is 4 delta up
    to 8, so six taps add 24 delta, up to 48.
    """
    return min(8 + 24 * delta, 56.0)


def gathered_corners(delta: float) -> float:
    """Entries that the kernels read and add to: shared up to one cell, tap by tap beyond."""
    return distinct_corners(delta) if delta <= 1 else 56.0


def step_work(grid: GridSpec, width: int, layers: int, points: int, step: float) -> dict[str, Work]:
    """The parts of a fused step by the names that `step.py` gives them; ``step`` is h in edges of the grid's cube."""
    entry_bytes = 4 * grid.features_per_level
    corners = points * sum(gathered_corners(step * scale) for scale in grid.scales)
    touched = sum(min(points * distinct_corners(step * s), n) for s, n in zip(grid.scales, grid.sizes, strict=True))
    encoded = points * grid.num_features * (4 + 6 * 2)  # values in float32, six differences in float16
    place, results = 12 * points, 20 * points
    once, again = network_products(grid, width, layers)
    units = points * width * layers
    return {
        "encoding forward": Work(bytes=place + touched * entry_bytes + encoded, gathers=corners),
        "network forward": Work(bytes=place + encoded + results, fp16=points * once, fp32=units * FORWARD_OPERATIONS),
        "network backward": Work(
            bytes=place + results + 2 * encoded, fp16=points * (once + again), fp32=units * BACKWARD_OPERATIONS
        ),
        "encoding backward": Work(bytes=place + encoded + 2 * touched * entry_bytes, atomics=corners),
        "zeroed gradient of the table": Work(bytes=grid.num_entries * entry_bytes),
        "adam of the table": Work(bytes=grid.num_entries * grid.features_per_level * ADAM_BYTES),
    }


def network_products(grid: GridSpec, width: int, layers: int) -> tuple[float, float]:
    """Operations per point of the matrix products of a forward pass, and of the gradients of a backward pass.

    The value takes three products of float16 halves where a difference takes one; each gradient is one product to the
    inputs and one to the weights.
    """
    weights = (3 + grid.num_features) * width + (layers - 1) * width**2
    return 2 * (3 + 6) * weights, 2 * 2 * 7 * weights


def compare(
    parts: dict[str, Work], ceilings: Ceilings, measured: dict[str, float] | None = None
) -> list[dict[str, str]]:
    """A row per part: counts, floor and its resource, and where measured the time and floor over time."""
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
    """Medians of the Triton backend at a setting from rows of `step.py`."""
    rows = [row for row in read_rows(path)[1] if row["implementation"] == "triton" and row["setting"] == setting]
    return {row["what"]: float(row["median_ms"]) for row in rows if row["median_ms"] and not row["tile"]}


def main(
    rows: Annotated[Path | None, typer.Option(help="what step.py wrote")] = None,
    measure_device: Annotated[bool, typer.Option("--measure", help="ceilings of this GPU")] = False,
    points: int = 1 << 18,
    levels: int = 16,
    log2_table_size: int = 19,
    base: int = 16,
    finest: int = 2048,
    width: int = 64,
    layers: int = 2,
) -> None:
    """See the top of the file."""
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
        typer.echo(f"\nGathers and additions out of 67 MB at once: {1e3 * access / ceilings.far_gathers:.2f} ms alone")
        if found and "step7" in found:
            best = min(found[name] for name in ("step7", "step7 graph") if name in found)
            typer.echo(f"\nstep7 {best:.3f} ms, {floor / best:.0%} of possible")


if __name__ == "__main__":
    typer.run(main)
