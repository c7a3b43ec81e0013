# SPDX-License-Identifier: MIT
"""Times a training step and its parts on every backend that runs on this machine, as CSV rows.

    python -m benchmarks.speed.step --out runs/step.csv
    python -m benchmarks.speed.step --part tiles --tile 16,4 --tile 32,8,1 --out runs/tiles.csv
    python -m benchmarks.speed.step --part accuracy --out runs/accuracy.csv

The parts are:

spec      the viscous eikonal residual over the seven taps of a central stencil (fwd7: forward, step7: forward and
          backward), and u alone (fwd1, step1), without an optimiser
kernels   each kernel of the fused field alone
tcnn      the same as spec with tiny-cuda-nn's own networks
room      whole training steps with the default settings of a fit
tiles     the kernels of the network with several tiles
accuracy  errors against float64; its file has other columns, see `step_accuracy`

A case that fails leaves a row with the reason.
"""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads OpenMP, as the command line does
import torch
import typer

from benchmarks.shared.harness import TIMING_COLUMNS, Rows, environment, measure
from benchmarks.speed.step_accuracy import ACCURACY_COLUMNS, accuracy_rows
from benchmarks.speed.step_cases import Case, FusedParts, Setting, field_cases, kernel_cases, room_cases
from fastsdf.errors import FastSDFError
from fastsdf.field.backends.base import Backend
from fastsdf.field.backends.selection import BACKEND_NAMES, load_backend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.system.device import choose_device
from fastsdf.system.triton_library import has_triton

COLUMNS = ("part", "setting", "implementation", "what", "tile", *TIMING_COLUMNS, "note")
PARTS = ("spec", "kernels", "tcnn", "room", "tiles")
TILES = ("16,4", "16,8", "32,4", "32,8", "64,4", "64,8", "128,8")  # block,warps
SPEC_POINTS = {"cuda": 1 << 18, "cpu": 1 << 12}  # chosen: fills a GPU, takes seconds on a CPU


class Bench:
    """Times cases and writes their rows.

    Args:
        rows: the CSV file to write to.
        device: torch device of the cases.
        repeats: number of timings; 0 runs each case once and writes nothing, to compile all kernels.
    """

    def __init__(self, rows: Rows, device: str, repeats: int):
        self._rows, self._device, self._repeats = rows, device, repeats

    def run(self, cases: Iterable[Case], part: str, setting: str, implementation: str, calls: int = 1) -> None:
        """Times all cases of an implementation; stops at the first failure and writes a row with the reason."""
        labels = {"part": part, "setting": setting, "implementation": implementation}
        try:
            for what, function in cases:
                self.one(function, calls, **labels, what=what)
        except (RuntimeError, FastSDFError) as error:
            self._rows.add(**labels, note=f"failed: {_short(error)}")

    def one(self, function: Any, calls: int = 1, **cells: object) -> None:
        """Times one case and writes its row."""
        if not self._repeats:
            function()
            return
        timing = measure(function, self._device, warm_up=3, repeats=self._repeats, calls=calls)
        self._rows.add(**cells, **timing.row())

    def failed(self, error: Exception, **cells: object) -> None:
        """Writes a row for a case that does not run."""
        self._rows.add(**cells, note=f"failed: {_short(error)}")


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def usable_backends(names: Iterable[str], device: str) -> list[Backend]:
    """Loads the named backends that run on a device; prints the reason for each one that cannot be loaded."""
    found = []
    for name in names:
        try:
            backend = load_backend(name)
        except FastSDFError as error:
            typer.echo(f"# skipping {name}: {_short(error)}", err=True)
            continue
        if device.partition(":")[0] in backend.info.devices:
            found.append(backend)
    return found


def sweep(bench: Bench, setting: Setting, name: str, tiles: list[str], device: str) -> None:
    """Times both kernels of the network with each tile ``block,warps[,programs per core[,registers]]``."""
    if not has_triton(torch.device(device)):
        return
    from fastsdf.field.triton.network import Tile

    parts = FusedParts(setting, device)
    for text, direction in itertools.product(tiles, ("forward", "backward")):
        tile = Tile(*map(int, text.split(",")))
        run = parts.network_forward if direction == "forward" else parts.network_backward
        cells = {"part": "tiles", "setting": name, "implementation": "triton", "tile": text.replace(",", " ")}
        try:
            bench.one(lambda run=run, tile=tile: run(tile), calls=5, **cells, what=f"network {direction}")
        except Exception as error:  # the compiler raises many types; the other tiles must still run
            bench.failed(error, **cells, what=f"network {direction}")


def own_networks(bench: Bench, setting: Setting, name: str, backends: list[Backend]) -> None:
    """Times tiny-cuda-nn's own modules, with both orders of the taps in memory."""
    if not any(backend.info.name == "tcnn" for backend in backends):
        return
    from benchmarks.speed import tcnn_models

    for (label, make, tf32), by_point in itertools.product(tcnn_models.models(setting), (True, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        model = make()
        order = "by point" if by_point else "by tap"
        bench.run(tcnn_models.model_cases(model, setting, by_point), "tcnn", name, f"{label}, {order}")
        torch.backends.cuda.matmul.allow_tf32 = False
        if note := tcnn_models.jit_note(model):
            typer.echo(f"# {label}: {note}", err=True)


def settings(grid: GridSpec, width: int, layers: int, points: int) -> dict[str, Setting]:
    """The settings of the part ``spec``: h of one finest cell, and h = 1/256 of the cube."""
    finest = grid.cell_size(grid.num_levels)
    return {
        "h = 1 finest cell": Setting(grid, width, layers, points, finest),
        "h = 1/256": Setting(grid, width, layers, points, 1 / 256),
    }


def main(
    out: Annotated[Path | None, typer.Option(help="CSV file; default: standard output")] = None,
    part: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(PARTS)} or accuracy; may be given several times")
    ] = None,
    backend: Annotated[list[str] | None, typer.Option(help="backend; may be given several times; default: all")] = None,
    tile: Annotated[list[str] | None, typer.Option(help="block,warps[,programs per core[,registers]]")] = None,
    device: str = "auto",
    points: Annotated[
        int | None, typer.Option(help="points of the part spec; default: 2^18 on CUDA, 2^12 on a CPU")
    ] = None,
    levels: int = 16,
    log2_table_size: int = 19,
    base: int = 16,
    finest: Annotated[int, typer.Option(help="nodes across the finest level")] = 2048,
    width: int = 64,
    layers: int = 2,
    repeats: int = 20,
    compile_only: Annotated[bool, typer.Option("--compile", help="run every case once without timing")] = False,
) -> None:
    """Times the chosen parts."""
    device = choose_device(device)
    chosen = part or list(PARTS)
    unknown = set(chosen) - {*PARTS, "accuracy"}
    if unknown:
        raise typer.BadParameter(f"unknown parts {sorted(unknown)}; choose from {', '.join(PARTS)}, accuracy")
    backends = usable_backends(backend or BACKEND_NAMES, device)
    grid = GridSpec(levels, 2, log2_table_size, base, finest)
    facts = {**environment(device), "spec": f"{grid}, network {layers} x {width}"}
    if chosen == ["accuracy"]:
        accuracy_rows(Rows(out, ACCURACY_COLUMNS, facts), grid, width, layers, backends, device)
        return
    points = points or SPEC_POINTS[device.partition(":")[0]]
    rows = Rows(out, COLUMNS, {**facts, "points": str(points)})
    bench = Bench(rows, device, 0 if compile_only else repeats)
    for name, setting in settings(grid, width, layers, points).items():
        if "spec" in chosen:
            for one in backends:
                bench.run(field_cases(setting, one, device), "spec", name, one.info.name)
        if "kernels" in chosen:
            bench.run(kernel_cases(setting, device), "kernels", name, "triton", calls=5)
        if "tcnn" in chosen:
            own_networks(bench, setting, name, backends)
    if "tiles" in chosen:
        first, *_ = settings(grid, width, layers, points).items()
        sweep(bench, first[1], f"{layers} x {width}", list(tile or TILES), device)
        sweep(bench, Setting(grid, 64, 1, 1 << 16, first[1].step), "1 x 64, 65536 points", list(tile or TILES), device)
    if "room" in chosen:
        for one in backends:
            bench.run(room_cases(one, device), "room", "room", one.info.name, calls=3)


if __name__ == "__main__":
    typer.run(main)
