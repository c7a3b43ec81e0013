# SPDX-License-Identifier: MIT
"""Measures what presets and budgets do, and prints Markdown tables; finished runs are kept and not repeated.

    python -m benchmarks.accuracy.presets scanners -o runs/scanners --seed 1
    python -m benchmarks.accuracy.presets aims SCAN [SCAN ...] -o runs/aims --reference R --observed O
    python -m benchmarks.accuracy.presets budgets SCAN [SCAN ...] -o runs/budgets --time 30s --time 2min --memory 1GB

``scanners`` compares the preset of each scanner with the default, ``aims`` compares the presets fast, default and fine,
and ``budgets`` compares budgets with the time and memory that the process really took. The tables are in
docs/evidence/accuracy.md and docs/evidence/benchmarks.md.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.accuracy.scanners import KINDS, write_kind
from benchmarks.shared.harness import markdown
from benchmarks.shared.processes import evaluated, fastsdf, run_fresh

app = typer.Typer(no_args_is_help=True)
Out = Annotated[Path, typer.Option("-o", "--out")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="section.key=value applied to every fit.")]
CHOSEN = ("predicted", "steps planned, taken", "share of points, mesh cells")
QUALITY = ("CD mm", "F1cm", "F2.5cm", "NC", "hallucinated %")


def fit(scan: Path, folder: Path, *options: object) -> dict[str, Any]:
    """Fits a scan, unless a report of it exists already.

    Returns:
        The contents of run.json, or ``error`` if the fit failed, with the wall time, peak memory and exit status of the
        process.
    """
    done = folder.with_name(f"{folder.name}.json")
    if not done.is_file():
        finished = run_fresh(fastsdf("fit", scan, "-o", folder, *options), folder.with_name(f"{folder.name}.log"))
        ran = finished.code == 0
        report = json.loads((folder / "run.json").read_text()) if ran else {"error": finished.output[-300:]}
        report |= {"wall_s": finished.wall_s, "peak_gib": finished.peak_gib, "exit": finished.code}
        report.pop("history", None)
        done.write_text(json.dumps(report))
    return json.loads(done.read_text())


def quality(mesh: Path, reference: Path, observed: Path | None) -> dict[str, str]:
    """Scores of a mesh, formatted for a table."""
    m = evaluated(mesh, reference, observed, mesh.with_suffix(".scores.json"))
    f1, f25 = (m["f_score"][m["thresholds"].index(t)] for t in (0.01, 0.025))
    scores = (f"{1e3 * m['chamfer_l1']:.2f}", f"{f1:.3f}", f"{f25:.3f}", f"{m['normal_consistency']:.3f}")
    return dict(zip(QUALITY, (*scores, f"{100 * m['hallucinated_share']:.2f}"), strict=True))


@app.command()
def scanners(out: Out, seed: int = 1, sets: Sets = None) -> None:
    """Compares the preset of every scanner with the default, on a synthetic scan by that scanner."""
    rows, options = [], [part for text in sets or () for part in ("--set", text)]
    for kind in KINDS:
        case = out / kind
        scan = write_kind(kind, case, seed)
        for name in ("default", kind):
            report = fit(scan, case / name, "--preset", name, "--seed", seed, *options)
            scores = quality(case / name / "mesh.ply", case / "truth.ply", case / "visible.ply")
            rows.append({"scan": kind, "preset": name, **scores, "s": f"{report['wall_s']:.0f}"})
    typer.echo(markdown(rows))


@app.command()
def aims(
    scans: list[Path],
    out: Out,
    reference: Annotated[Path | None, typer.Option()] = None,
    observed: Annotated[Path | None, typer.Option()] = None,
    presets: Annotated[str, typer.Option(help="Presets to compare, separated by commas.")] = "fast,default,fine",
) -> None:
    """Compares presets on each scan: time, memory, error at held-out points, and scores if a reference is given."""
    rows = []
    for scan in scans:
        for name in presets.split(","):
            folder = out / scan.stem / name
            report = fit(scan, folder, "--preset", name)
            held, mm = report["metrics"], 1e3
            row = {"scan": scan.stem, "preset": name, **_spent(report, 0)}
            row |= {"held-out median mm": f"{mm * held['held_out_median_m']:.2f}"}
            row |= {"error estimate mm": f"{mm * held['error_estimate_m']:.2f}", "faces": f"{held['faces']:,}"}
            rows.append(row | (quality(folder / "mesh.ply", reference, observed) if reference else {}))
    typer.echo(markdown(rows))


@app.command()
def budgets(
    scans: list[Path],
    out: Out,
    time: Annotated[list[str] | None, typer.Option()] = None,
    memory: Annotated[list[str] | None, typer.Option()] = None,
    sets: Sets = None,
) -> None:
    """Compares budgets with the wall time and the peak resident memory of the process."""
    rows, options = [], [part for text in sets or () for part in ("--set", text)]
    limits = [("--time-budget", text) for text in time or ()] + [("--memory", text) for text in memory or ()]
    for scan in scans:
        for option, text in limits:
            report = fit(scan, out / scan.stem / f"{option.strip('-')}-{text}", option, text, *options)
            row = {"scan": scan.stem, "budget": text, **_spent(report, 1)}
            rows.append(row | (_chosen(report["budget"]) if report["exit"] == 0 else dict.fromkeys(CHOSEN, "refused")))
    typer.echo(markdown(rows))


def _spent(report: dict[str, Any], digits: int) -> dict[str, str]:
    return {"s": f"{report['wall_s']:.{digits}f}", "GiB": f"{report['peak_gib']:.2f}"}


def _chosen(budget: dict[str, Any]) -> dict[str, str]:
    spent = next(iter(budget.values()))
    predicted = f"{spent['predicted_s']:.1f} s" if "predicted_s" in spent else f"{spent['predicted_gib']:.2f} GiB"
    steps = f"{spent['planned_steps']}, {spent['steps']}" if "steps" in spent else "–"
    shares = f"{spent['share_of_points']:g}, {spent['mesh_coarsening']:.2f}"
    return dict(zip(CHOSEN, (predicted, steps, shares), strict=True))


if __name__ == "__main__":
    app()
