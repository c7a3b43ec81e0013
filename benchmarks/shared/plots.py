# SPDX-License-Identifier: MIT
"""Draws CSV files of the other benchmarks as small SVG images for the docs; needs matplotlib.

python -m benchmarks.shared.plots quality runs/quality/end_to_end.csv docs/images/time_to_quality.svg
python -m benchmarks.shared.plots steps runs/step.csv docs/images/step.svg --what step7
python -m benchmarks.shared.plots peers runs/peers/peers.csv docs/images/cpu_peers.svg
"""

from collections import defaultdict
from pathlib import Path

import matplotlib
import typer

from benchmarks.shared.harness import read_rows

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "fastsdf"})
plt.rcParams["svg.fonttype"] = "none"

app = typer.Typer(add_completion=False)


def save(figure: Figure, out: Path) -> None:
    """Writes a figure without a date, so that the same data gives the same file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, bbox_inches="tight", metadata={"Date": None})


@app.command()
def quality(rows: Path, out: Path, score: str = "F1cm", time: str = "wall_s") -> None:
    """Plots the score against the wall time: one line per scan and backend, one point per fit."""
    lines: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in read_rows(rows)[1]:
        if row[score]:
            lines[row["scan"], row["backend"]].append((float(row[time]), float(row[score])))
    figure, axes = plt.subplots(figsize=(5, 3))
    for (scan, backend), points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), "o-", markersize=4, label=f"{scan}, {backend}")
    axes.set(xlabel="wall time of the whole command, s", ylabel=score)
    axes.legend(frameon=False)
    save(figure, out)


@app.command()
def steps(rows: Path, out: Path, what: str = "step7", setting: str = "h = 1 finest cell") -> None:
    """Plots the milliseconds of a step: one bar per implementation, with the 10th and 90th percentile."""
    chosen = [r for r in read_rows(rows)[1] if r["what"] == what and r["setting"] == setting and r["median_ms"]]
    chosen.sort(key=lambda row: -float(row["median_ms"]))
    medians = [float(row["median_ms"]) for row in chosen]
    spread = [[m - float(r["p10_ms"]), float(r["p90_ms"]) - m] for m, r in zip(medians, chosen, strict=True)]
    figure, axes = plt.subplots(figsize=(6, 0.3 * len(chosen) + 0.8))
    bars = axes.barh([row["implementation"] for row in chosen], medians, xerr=list(zip(*spread, strict=True)))
    axes.bar_label(bars, fmt="%.2f", padding=4)
    axes.set(xlabel=f"{what}, {setting}, ms")
    save(figure, out)


@app.command()
def peers(rows: Path, out: Path, score: str = "F1cm") -> None:
    """Plots the score against the wall time: one labelled point per mesh."""
    figure, axes = plt.subplots(figsize=(5, 3))
    for row in read_rows(rows)[1]:
        if not row[score]:
            continue
        x, y = float(row["wall_s"]), float(row[score])
        axes.plot(x, y, "o")
        name = row["mesh"].removesuffix("/mesh.ply").removesuffix(".ply")
        axes.annotate(name, (x, y), (5, 4), textcoords="offset points")
    axes.set(xlabel="wall time of the whole command, s", ylabel=score, xlim=(0, None))
    axes.margins(0.15)
    save(figure, out)


if __name__ == "__main__":
    app()
