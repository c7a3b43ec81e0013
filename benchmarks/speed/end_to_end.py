# SPDX-License-Identifier: MIT
"""Runs whole ``fastsdf fit`` commands in fresh processes and collects wall time, stages, memory and scores.

    python -m benchmarks.speed.end_to_end SCAN -o runs/e2e --backend triton --backend torch --seeds 3 \
        --reference gt.ply --observed visible.ply
    python -m benchmarks.speed.end_to_end SCAN -o runs/quality --steps 250,500,1000,2000,4000 --reference gt.ply

Several step counts give time to quality; `plots.py` draws it. Rows go to ``end_to_end.csv``, each fit to a folder of
its own. Scores come from ``fastsdf eval`` and are not part of the wall time.
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
    """Runs one fit and reads its report."""
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
    out: Annotated[Path, typer.Option("-o", "--out", help="folder of runs and end_to_end.csv")],
    backend: Annotated[list[str] | None, typer.Option(help="auto; may be given several times")] = None,
    steps: Annotated[str, typer.Option(help="step counts, separated by commas; empty: the fit's choice")] = "",
    seeds: Annotated[int, typer.Option(help="seeds 0 to this less one")] = 1,
    repeats: Annotated[int, typer.Option(help="runs of every fit")] = 1,
    base: Annotated[list[str] | None, typer.Option("--set", help="section.key=value for every fit")] = None,
    device: str = "auto",
    reference: Annotated[Path | None, typer.Option(help="true surface, to score against")] = None,
    observed: Annotated[Path | None, typer.Option(help="points of it that could be seen")] = None,
) -> None:
    """See the top of the file."""
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
