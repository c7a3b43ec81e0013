# SPDX-License-Identifier: MIT
"""``fastsdf fit``: the main job, with progress and a table for a person and files for the next program."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastsdf import console as ui
from fastsdf.config import FitConfig
from fastsdf.errors import TrainingError
from fastsdf.fit_memory import SMALLER_FIELD, THIN, explained_mesh, explained_training
from fastsdf.io import read_point_clouds, write_mesh
from fastsdf.io.crs import georeference
from fastsdf.io.files import expand_paths
from fastsdf.io.merging import list_some
from fastsdf.limits import Limits, Plan, add_actual, check_early, plan_report, plan_rows, settle_mesh, start_within
from fastsdf.out_of_memory import explained
from fastsdf.pipeline import Session, prepare_scan
from fastsdf.prepared import PreparedScan
from fastsdf.process_age import process_age_s
from fastsdf.run_folder import RunFolder
from fastsdf.runtime import check_machine, describe_device, peak_memory_gib, release_memory, synchronize, versions
from fastsdf.scan import TriangleMesh
from fastsdf.self_accuracy import self_accuracy
from fastsdf.stopwatch import Stopwatch
from fastsdf.time_budget import Pacer
from fastsdf.trainer import TrainState
from fastsdf.training_loop import Progress, train, with_steps

if TYPE_CHECKING:
    from fastsdf.view_command import FitViewer

NO_LIMITS = Limits()
ACCURACY_ROWS = {
    "held_out_median_m": "held-out points, median",
    "held_out_p95_m": "held-out points, 95%",
    "error_estimate_m": "estimated error of the surface",
}


def fit_scan(
    scans: Sequence[Path],
    out: Path | None,
    config: FitConfig,
    reading: dict[str, Any],
    page: bool = False,
    limits: Limits = NO_LIMITS,
    view_port: int | None = None,
) -> None:
    """The main job: scans in, run folder out (None: named after the first scan).

    ``reading`` holds options of `fastsdf.io.read_point_cloud`; ``page`` asks for report.html too, which the time budget
    of ``limits`` does not cover; on ``view_port`` a browser sees the surface grow, and the run after that until Ctrl-C.
    """
    _check_page(page)
    check_machine(config)
    console, watch = ui.make_console(), Stopwatch()
    with _viewer(console, view_port) as viewer:
        names = [str(scan) for scan in expand_paths(scans)]
        prepared = _prepare(console, watch, names, config, reading, limits)
        with watch.stage("start"), explained("building the field", SMALLER_FIELD):
            session, plan = start_within(prepared, config, limits, process_age_s)
        run = RunFolder(out or Path("runs") / Path(names[0]).resolve().stem)
        run.write_config(session.config)
        console.print(f"fitting on {describe_device(session.device)}, backend {session.state.field.backend.info.name}")
        for name, value, unit in plan_rows(plan):
            console.print(f"{name}: {ui.format_value(value)} {unit}".rstrip())
        _complete(console, run, session, watch, {}, page, viewer, (limits, plan))


def _prepare(
    console: Any, watch: Stopwatch, names: list[str], config: FitConfig, reading: dict[str, Any], limits: Limits
) -> PreparedScan:
    """Reads and prepares the scans, and says what they hold."""
    with watch.stage("read"), explained("reading the scan", THIN):
        cloud = read_point_clouds(names, **reading)
    check_early(limits, len(cloud), process_age_s())
    measuring = explained(f"measuring {len(cloud):,} points", THIN)
    with console.status("measuring the scan"), watch.stage("prepare"), measuring:
        prepared = prepare_scan(cloud, config)
    prepared.facts["scan"] = names[0] if len(names) == 1 else names
    _describe_scan(console, list_some(names), prepared.facts)
    return prepared


def resume_run(path: Path, page: bool = False, view_port: int | None = None) -> None:
    """Goes on with an interrupted fit; ``page`` and ``view_port`` as in `fit_scan`."""
    _check_page(page)
    console, run, watch = ui.make_console(), RunFolder(path), Stopwatch()
    with _viewer(console, view_port) as viewer:
        with watch.stage("read"):
            session = run.resume()
        console.print(f"resuming at step {session.state.step} of {session.config.training.steps}")
        _complete(console, run, session, watch, {"resumed_at_step": session.state.step}, page, viewer)


def _complete(
    console: Any,
    run: RunFolder,
    session: Session,
    watch: Stopwatch,
    origin: dict[str, Any],
    page: bool,
    viewer: "FitViewer | None",
    budget: tuple[Limits, Plan] = (NO_LIMITS, Plan()),
) -> None:
    """Trains to the end, writes all that is asked for, and then shows it if that is asked for."""
    mesh = _finish(console, run, session, watch, origin, viewer.growing(session) if viewer else None, budget)
    _write_page(run, session, page)
    if viewer:
        viewer.show(session.fitted, mesh)


def _viewer(console: Any, port: int | None) -> "AbstractContextManager[FitViewer | None]":
    """A viewer on a port, before any work; None: none."""
    if port is None:
        return nullcontext()
    from fastsdf.view_command import fit_viewer  # only those who want to look load this

    return fit_viewer(console, port)


def _check_page(wanted: bool) -> None:
    """Raises InputError before any work if a page is wanted and cannot be made."""
    if wanted:
        from fastsdf.report_command import check_report  # only those who want pages load this

        check_report()


def _write_page(run: RunFolder, session: Session, wanted: bool) -> None:
    if wanted:
        from fastsdf.report_command import report_run

        report_run(run.path, None, str(session.device))


def _finish(
    console: Any,
    run: RunFolder,
    session: Session,
    watch: Stopwatch,
    origin: dict[str, Any],
    look: Callable[[Progress], None] | None = None,
    budget: tuple[Limits, Plan] = (NO_LIMITS, Plan()),
) -> TriangleMesh:
    """Trains to the end, meshes, writes everything and prints the table; ``look`` is called with the progress bar."""
    limits, plan = budget
    config, pacer = session.config, None
    if plan.time:
        pacer = Pacer(plan.time.train_until_s, plan.time.steps, plan.time.most_steps, process_age_s)
        config = with_steps(config, plan.time.most_steps)

    def save(_: TrainState) -> None:
        run.save(session if pacer is None else replace(session, config=with_steps(config, pacer.steps)), False)

    with _stop_on_interrupt() as stop_asked, watch.stage("train"), explained_training(run, session):
        with ui.training_bar(console, session.prepared.transform.half_extent_m) as move:
            on_progress = _both(move, look) if look else move
            ended = train(session.state, config, on_progress, save, stop_asked, pacer)
        synchronize(session.device)
    session = replace(session, config=ended)
    if session.state.step != session.config.training.steps:
        run.save(session, finished=False)
        raise TrainingError(
            f"stopped at step {session.state.step} of {session.config.training.steps}; everything is saved, "
            f"go on with 'fastsdf fit --resume {run.path}'"
        )
    if plan.time:
        session, settled = settle_mesh(session, plan.time, process_age_s())
        plan = plan._replace(time=settled)
    run.save(session, finished=True)
    if plan.memory:
        release_memory()
    with console.status("extracting the surface"), watch.stage("mesh"), explained_mesh(run, session.config):
        result = session.fitted.extract_mesh()
    with watch.stage("check"):
        accuracy = self_accuracy(session.fitted, session.config.seed)
    with watch.stage("write"):
        write_mesh(result, run.mesh)
        facts = session.prepared.facts
        note = georeference(run.mesh, facts.get("crs"), facts.get("units", "m") == "m")
    if note:
        console.print(f"note: {note}")
    report = _report(session, result, watch, origin, accuracy)
    spent = plan_report(limits, plan)
    if spent:
        add_actual(spent, process_age_s(), session.state.step, report["peak_memory_gib"]["host"])
        report["budget"] = spent
        run.write_config(session.config)  # with the steps that there were time for
    run.write_report(report)
    ui.print_table(console, f"run {run.path}", _summary_rows(report))
    return result


def _both(first: Callable[[Progress], None], second: Callable[[Progress], None]) -> Callable[[Progress], None]:
    def call(progress: Progress) -> None:
        first(progress)
        second(progress)

    return call


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks the loop to stop between two steps, the second one interrupts at once."""
    asked: list[int] = []

    def ask(number: int, _: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)


def _describe_scan(console: Any, scan: str, facts: dict[str, Any]) -> None:
    for note in facts["notes"]:
        console.print(f"note: {note}")
    extent = " x ".join(f"{e:.2f}" for e in facts["extent_m"])
    console.print(
        f"{scan}: {facts['points']:,} points, {facts['points_in_box']:,} in a box of {extent} m, "
        f"spacing {1e3 * facts['spacing_m']:.1f} mm, noise {1e3 * facts['noise_m']:.1f} mm, "
        f"about {facts['area_m2']:.0f} m^2 seen; sign evidence: {facts['sign_evidence']}"
    )


def _report(
    session: Session, mesh: TriangleMesh, watch: Stopwatch, origin: dict[str, Any], accuracy: dict[str, Any]
) -> dict[str, Any]:
    half_extent_m = session.prepared.transform.half_extent_m
    state = session.state
    last, weights = state.history[-1], session.config.loss
    earlier = max(state.seconds - watch.seconds["train"], 0.0)
    return {
        "scan": session.prepared.facts["scan"],
        **origin,
        "device": describe_device(session.device),
        "backend": state.field.backend.info.name,
        "backend_reason": session.backend_reason,
        "seed": session.config.seed,
        "versions": versions(),
        "scan_facts": session.prepared.facts,
        "transform": session.prepared.transform.state(),
        "steps": state.step,
        "parameters": sum(p.numel() for p in state.field.parameters()),
        "seconds": {
            **watch.seconds,
            "training": round(state.seconds, 3),
            "total": round(earlier + sum(watch.seconds.values()), 3),
        },
        "peak_memory_gib": peak_memory_gib(session.device),
        "metrics": {
            "surface_residual_m": last["surface"] * half_extent_m if weights.surface else None,
            "eikonal_residual": last["eikonal_off_surface"] if weights.eikonal_off_surface else None,
            "eikonal_residual_surface": last["eikonal_surface"] if weights.eikonal_surface else None,
            **accuracy,
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
        },
        "history": state.history,
    }


def _summary_rows(report: dict[str, Any]) -> list[tuple[str, Any, str]]:
    seconds, metrics, facts = report["seconds"], report["metrics"], report["scan_facts"]
    residual_m = metrics["surface_residual_m"]
    return [
        ("sign evidence", facts["sign_evidence"], ""),
        ("noise of the scan", 1e3 * facts["noise_m"], "mm"),
        ("faces", metrics["faces"], ""),
        ("mean |u| on the scan", None if residual_m is None else 1e3 * residual_m, "mm"),
        *((name, 1e3 * metrics[key], "mm") for key, name in ACCURACY_ROWS.items() if key in metrics),
        ("eikonal residual", metrics["eikonal_residual"], ""),
        ("parameters", report["parameters"], ""),
        *((name, value, "s") for name, value in seconds.items() if name != "training"),
        *((f"peak memory, {name}", value, "GiB") for name, value in report["peak_memory_gib"].items()),
    ]
