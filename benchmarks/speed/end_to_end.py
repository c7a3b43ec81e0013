# SPDX-License-Identifier: MIT
"""Runs ``fastsdf fit`` in fresh processes and collects the wall time, the time per stage, the memory and the scores.

    python -m benchmarks.speed.end_to_end SCAN -o runs/e2e --backend triton --backend torch --seeds 3 \
        --reference gt.ply --observed visible.ply
    python -m benchmarks.speed.end_to_end SCAN -o runs/quality --steps 250,500,1000,2000,4000 --reference gt.ply

Several step counts show how quality grows with time; `benchmarks.shared.plots` draws the curve. The rows go to
``end_to_end.csv`` and each fit to its own folder. The scores come from ``fastsdf eval``, which the wall time excludes.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.shared.harness import Rows, environment, markdown
from benchmarks.shared.processes import SCORES, fastsdf, run_fresh, score
from fastsdf.system.device import choose_device

STAGES = ("read", "prepare", "start", "train", "mesh", "write")
COLUMNS = (
    "scan", "backend", "seed", "steps", "repeat", "exit", "wall_s", "cpu_s", *(f"{stage}_s" for stage in STAGES),
    "host_gib", "device_gib", "faces", *SCORES,
)  # fmt: skip
SHOWN = ("scan", "backend", "seed", "steps", "wall_s", "train_s", "host_gib", "device_gib", "CD mm", "F1cm", "NC")


def fit_row(command: list[str], folder: Path) -> dict[str, object]:
    """Runs one fit and returns the cells of its row, read from its report."""
    done = run_fresh(command, folder.with_suffix(".log"))
    row: dict[str, object] = {"exit": done.code, "wall_s": f"{done.wall_s:.2f}", "cpu_s": f"{done.cpu_s:.2f}"}
    if done.code:
        return row
    report = json.loads((folder / "run.json").read_text())
    seconds, memory = report["seconds"], report["peak_memory_gib"]
    row |= {f"{stage}_s": f"{seconds.get(stage, 0.0):.2f}" for stage in STAGES}
    row |= {"host_gib": memory["host"], "device_gib": memory.get("device", "")}
    return row | {"backend": report["backend"], "steps": report["steps"], "faces": report["metrics"]["faces"]}


def main(
    scans: list[Path],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the runs and end_to_end.csv")],
    backend: Annotated[
        list[str] | None, typer.Option(help="backend; may be given several times; default: auto")
    ] = None,
    steps: Annotated[str, typer.Option(help="step counts, separated by commas; default: chosen by the fit")] = "",
    seeds: Annotated[int, typer.Option(help="number of seeds, counted from 0")] = 1,
    repeats: Annotated[int, typer.Option(help="repetitions of every fit")] = 1,
    base: Annotated[list[str] | None, typer.Option("--set", help="section.key=value applied to every fit")] = None,
    device: str = "auto",
    reference: Annotated[Path | None, typer.Option(help="exact surface to score against")] = None,
    observed: Annotated[Path | None, typer.Option(help="points of the exact surface that are visible")] = None,
) -> None:
    """Fits every scan with every backend, seed and step count, and writes a row per fit."""
    facts = {**environment(choose_device(device)), "command": " ".join(sys.argv)}
    table = Rows(out / "end_to_end.csv", COLUMNS, facts)
    chosen = [part for text in base or () for part in ("--set", text)]
    jobs = [
        (scan, name, seed, count, repeat)
        for repeat in range(repeats)
        for seed in range(seeds)
        for scan in scans
        for name in backend or ("auto",)
        for count in steps.split(",")
    ]
    for scan, name, seed, count, repeat in jobs:
        folder = out / "-".join([scan.stem, name, f"seed{seed}", f"steps{count or 'default'}", str(repeat)])
        options = ["--backend", name, "--device", device, "--seed", seed, *chosen]
        options += ["--steps", count] if count else []
        row = {"scan": scan.stem, "backend": name, "seed": seed, "steps": count, "repeat": repeat}
        row |= fit_row(fastsdf("fit", scan, "-o", folder, *options), folder)
        if reference and not row["exit"]:
            scores = score(folder / "mesh.ply", reference, observed, folder / "scores.json")
            row |= {metric: f"{value:.4g}" for metric, value in scores.items()}
        table.add(**row)
    typer.echo(markdown([{column: row[column] for column in SHOWN} for row in table.written]))


if __name__ == "__main__":
    typer.run(main)
