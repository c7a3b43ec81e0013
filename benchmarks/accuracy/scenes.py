# SPDX-License-Identifier: MIT
"""Scores fastsdf and other reconstruction methods from PyPI on synthetic scenes whose exact surface is known.

    python -m benchmarks.accuracy.scenes -o runs/accuracy                                 # everything, one seed
    python -m benchmarks.accuracy.scenes -o runs/accuracy --scene room --method fastsdf   # a part; calls add up
    python -m benchmarks.accuracy.scenes -o runs/accuracy --write-only --seeds 3          # only scans and truth

Every scene is reconstructed twice: from the points alone (scan.ply), and with the sensor position of each point
(scan_sensors.ply). Every method runs in a fresh process with a time limit. Finished results are kept, so an
interrupted benchmark resumes where it stopped. ``accuracy.csv`` and ``accuracy.md`` contain all results in the folder.
The methods of MeshLab need the extra ``peers``.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.peers.peers import MESHES
from benchmarks.shared.harness import Rows, environment, markdown
from benchmarks.shared.processes import METRICS, Finished, evaluated, fastsdf, run_fresh
from fastsdf.synthetic import SCENES, CaseSettings, make_case, write_case
from fastsdf.system.device import choose_device

METHODS = ("fastsdf", *MESHES)
INPUTS = {"points": "scan.ply", "sensors": "scan_sensors.ply"}
MESHLAB = ("apss", "rimls", "meshlab-poisson")
KEYS = ("scene", "input", "method")
COLUMNS = (*KEYS, "seed", "points", "exit", "s", "cpu_s", "GiB", "device GiB", *METRICS)
SHOWN = ("CD mm", "F1cm", "NC", "signed NC", "thin", "flat deg", "flat mm", "hallucinated %", "s", "GiB")


def prepare_case(folder: Path, settings: CaseSettings) -> None:
    """Writes the scan and the exact surface; keeps them if they exist and were made with the same settings."""
    settings_file = folder / "case.json"
    if not settings_file.is_file():
        write_case(make_case(settings), folder)
        return
    found = json.loads(settings_file.read_text())
    other = {name: found.get(name) for name, value in asdict(settings).items() if found.get(name) != value}
    if other:
        raise typer.BadParameter(f"{folder} holds a case with {other}: choose another folder with -o")


def run_method(case: Path, given: str, method: str, seed: int, sets: Sequence[str], limit_s: float) -> None:
    """Runs one method on one input, scores its meshes and writes the table rows as JSON; does nothing if they exist."""
    folder = case / given
    done = folder / f"{method}.rows.json"
    if done.is_file():
        return
    scan, run = case / INPUTS[given], folder / method
    folder.mkdir(exist_ok=True)
    if method == "fastsdf":
        options = [part for text in sets for part in ("--set", text)]
        finished = run_fresh(
            fastsdf("fit", scan, "-o", run, "--seed", seed, *options), run.with_suffix(".log"), limit_s
        )
        meshes = {method: run / "mesh.ply"}
    else:
        command = [sys.executable, "-m", "benchmarks.peers.peers", method, scan, folder]
        finished = run_fresh(command, run.with_suffix(".log"), limit_s)
        meshes = {name: folder / f"{name}.ply" for name in MESHES[method]}
    common = {"scene": case.name.rpartition("-")[0], "input": given, "seed": seed, **cost(finished, run / "run.json")}
    common["points"] = json.loads((case / "case.json").read_text())["kept_points"]
    rows = [{**common, "method": name, **scores(case, mesh, finished)} for name, mesh in meshes.items()]
    done.write_text(json.dumps(rows, indent=1))
    for row in rows:
        typer.echo("  ".join(f"{name} {row[name]}" for name in COLUMNS if name in row))


def cost(finished: Finished, report: Path) -> dict[str, Any]:
    """Time and memory of a process, and the device memory if the report of the fit contains it."""
    used = {"exit": finished.code, "s": round(finished.wall_s, 1), "cpu_s": round(finished.cpu_s, 1)}
    used["GiB"] = round(finished.peak_gib, 2)
    memory = json.loads(report.read_text())["peak_memory_gib"] if report.is_file() else {}
    return used | ({"device GiB": round(memory["device"], 2)} if "device" in memory else {})


def scores(case: Path, mesh: Path, finished: Finished) -> dict[str, float]:
    """Scores of a mesh; empty if its process failed or it cannot be scored."""
    if finished.code or not mesh.is_file():
        return {}
    try:
        report = evaluated(mesh, case / "truth.ply", case / "visible.ply", mesh.with_suffix(".scores.json"))
    except subprocess.CalledProcessError:
        return {}
    known = {name: value for name, metric in METRICS.items() if (value := metric(report)) is not None}
    return {name: float(f"{value:.4g}") for name, value in known.items()}


def all_rows(out: Path) -> list[dict[str, Any]]:
    """All rows in the folder, sorted by scene, input, method and seed."""
    rows = [row for path in sorted(out.glob("*/*/*.rows.json")) for row in json.loads(path.read_text())]
    names = [name for method in METHODS for name in MESHES.get(method, (method,))]
    order = {name: i for i, name in enumerate([*SCENES, *INPUTS, *names])}
    return sorted(rows, key=lambda row: ([order[row[key]] for key in KEYS], row["seed"]))


def tables(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields a Markdown table per scene and input: means over the seeds, ± half of their range if there are several."""
    for scene, given in dict.fromkeys((row["scene"], row["input"]) for row in rows):
        chosen = [row for row in rows if (row["scene"], row["input"]) == (scene, given)]
        lines = []
        for method in dict.fromkeys(row["method"] for row in chosen):
            of_method = [row for row in chosen if row["method"] == method]
            lines.append({"method": method, **{name: cell(of_method, name) for name in SHOWN}})
        sizes = sorted({row["points"] for row in chosen})
        text = " to ".join(f"{size:,}" for size in (sizes[0], sizes[-1])[: len(sizes)])
        yield f"**{scene}, {given}** ({text} points)\n\n{markdown(lines)}\n"


def cell(rows: Sequence[dict[str, Any]], name: str) -> str:
    """Mean ± half of the range of a score over the seeds, or the reason why there is none."""
    values = np.array([row[name] for row in rows if name in row])
    failed = len(rows) - len(values)
    if not len(values):
        return "over time" if rows[0]["exit"] == -9 else "–" if "CD mm" in rows[0] else "failed"
    spread = f" ± {np.ptp(values) / 2:.2g}" if len(values) > 1 else ""
    return f"{values.mean():.3g}{spread}" + (f" ({failed} failed)" if failed else "")


def write_tables(out: Path) -> None:
    """Writes accuracy.csv and accuracy.md from all results in the folder."""
    rows = all_rows(out)
    csv = Rows(out / "accuracy.csv", COLUMNS, {**environment(choose_device("auto")), "command": " ".join(sys.argv)})
    for row in rows:
        csv.add(**row)
    (out / "accuracy.md").write_text("\n".join(tables(rows)))


def chosen_names(requested: Sequence[str] | None, known: Sequence[str], kind: str) -> list[str]:
    """The requested names after a check, or all known names if none were requested."""
    wrong = [name for name in requested or () if name not in known]
    if wrong:
        raise typer.BadParameter(f"unknown {kind} {', '.join(wrong)}; choose from {', '.join(known)}")
    return list(requested or known)


def main(
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for scans, meshes and tables")],
    scene: Annotated[list[str] | None, typer.Option(help="scene; may be given several times")] = None,
    method: Annotated[list[str] | None, typer.Option(help="method; may be given several times")] = None,
    given: Annotated[list[str] | None, typer.Option("--input", help="points or sensors; default: both")] = None,
    seeds: Annotated[int, typer.Option(help="number of seeds, counted from 0")] = 1,
    points: Annotated[int, typer.Option(help="points per scan")] = 300_000,
    noise_mm: Annotated[float, typer.Option(help="standard deviation of the range, mm")] = 3.0,
    outliers: Annotated[float, typer.Option(help="share of points with a wrong range, 0 to 1")] = 0.02,
    stations: Annotated[int | None, typer.Option(help="scanner positions per room, landing or 6 m of corridor")] = None,
    missing: Annotated[int, typer.Option(help="regions of 15 to 40 cm without points")] = 0,
    limit_s: Annotated[float, typer.Option("--time-limit", help="seconds per method")] = 900.0,
    sets: Annotated[list[str] | None, typer.Option("--set", help="section.key=value applied to fastsdf")] = None,
    write_only: Annotated[bool, typer.Option(help="only write the scans and the exact surfaces")] = False,
) -> None:
    """Runs the chosen methods on the chosen scenes and inputs, and writes the tables."""
    scenes = chosen_names(scene, list(SCENES), "scene")
    inputs = chosen_names(given, list(INPUTS), "input")
    methods = chosen_names(method, METHODS, "method")
    if importlib.util.find_spec("pymeshlab") is None:
        typer.echo("skipping the methods of MeshLab: pymeshlab is missing; run pip install -e '.[peers]'")
        methods = [name for name in methods if name not in MESHLAB]
    for seed in range(seeds):
        for name in scenes:
            case = out / f"{name}-{seed}"
            settings = CaseSettings(name, seed, points, noise_mm / 1e3, outliers, stations=stations, missing=missing)
            prepare_case(case, settings)
            for job in ((i, m) for i in inputs for m in methods if not write_only):
                run_method(case, *job, seed, sets or (), limit_s)
    if not write_only:
        write_tables(out)
        typer.echo((out / "accuracy.md").read_text())


if __name__ == "__main__":
    typer.run(main)
