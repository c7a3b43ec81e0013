# SPDX-License-Identifier: MIT
"""Fits one scan with several settings and seeds, scores every mesh and prints the means as a Markdown table.

    python -m benchmarks.accuracy.ablation benchmarks/accuracy/defaults.yaml SCAN REFERENCE \\
        --observed VISIBLE -o runs/ablation

The settings file maps the name of each variant to a list of ``section.key=value``. Finished fits and scores stay in the
output folder, so an interrupted ablation resumes where it stopped. The scores of every run are also written to
``rows.csv``.
"""

import json
import subprocess
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import yaml

from benchmarks.shared.harness import Rows, environment
from benchmarks.shared.processes import METRICS, evaluated, fastsdf
from fastsdf.system.device import choose_device

COLUMNS = ("CD mm", "F1cm", "NC", "signed NC", "thin", "flat deg", "flat mm", "hallucinated %", "training s")


def run_variant(scan: Path, folder: Path, settings: list[str], seed: int) -> None:
    """Fits a scan into a run folder, unless the folder already holds a finished run."""
    if (folder / "run.json").is_file():
        return
    sets = [part for text in settings for part in ("--set", text)]
    subprocess.run(fastsdf("fit", scan, "-o", folder, "--seed", seed, *sets), check=True)


def score_run(folder: Path, reference: Path, observed: Path | None) -> dict[str, float | None]:
    """The scores of a finished run and its training time, by the names in `COLUMNS`."""
    report = evaluated(folder / "mesh.ply", reference, observed, folder / "scores.json")
    training = json.loads((folder / "run.json").read_text())["seconds"]["training"]
    return {**{name: METRICS[name](report) for name in COLUMNS[:-1]}, COLUMNS[-1]: training}


def table(rows: list[dict[str, object]]) -> str:
    """A Markdown table with one line per variant: mean ± half of the range over the seeds."""
    lines = ["| setting | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name in dict.fromkeys(row["variant"] for row in rows):
        chosen = [row for row in rows if row["variant"] == name]
        cells = []
        for column in COLUMNS:
            values = np.array([row[column] for row in chosen], float)
            cells.append(f"{values.mean():.4g} ± {np.ptp(values) / 2:.2g}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(
    settings: Path,
    scan: Path,
    reference: Path,
    out: Annotated[Path, typer.Option("-o", "--out")],
    observed: Annotated[Path | None, typer.Option()] = None,
    base: Annotated[list[str] | None, typer.Option("--set", help="section.key=value applied to every variant.")] = None,
    seeds: int = 2,
) -> None:
    """Fits and scores every variant of a settings file with seeds 0 to SEEDS - 1."""
    rows: list[dict[str, object]] = []
    csv = Rows(out / "rows.csv", ("variant", "seed", *COLUMNS), environment(choose_device("auto")))
    for seed in range(seeds):
        for name, sets in yaml.safe_load(settings.read_text()).items():
            folder = out / f"{name.replace(' ', '_').replace('/', '_')}-{seed}"
            run_variant(scan, folder, [*(base or []), *sets], seed)
            rows.append({"variant": name, "seed": seed, **score_run(folder, reference, observed)})
            csv.add(**rows[-1])
    typer.echo(table(rows))


if __name__ == "__main__":
    typer.run(main)
