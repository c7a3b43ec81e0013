# SPDX-License-Identifier: MIT
"""``fastsdf fit``: reads scans, trains a field, extracts its mesh and writes the run folder."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastsdf.budget.plan import Limits, Plan, add_actual, check_early, plan_report, plan_rows, settle_mesh, start_within
from fastsdf.budget.time import Pacer
from fastsdf.commands import console as ui
from fastsdf.commands.fit_memory import SMALLER_FIELD, THIN, explained_mesh, explained_training, memory_warning
from fastsdf.commands.fit_summary import describe_scan, report_of, summary_rows
from fastsdf.config.models import FitConfig
from fastsdf.errors import TrainingError
from fastsdf.evaluation.self_accuracy import self_accuracy
from fastsdf.field.backends.selection import check_machine
from fastsdf.geometry import TriangleMesh
from fastsdf.io import read_point_clouds, write_mesh
from fastsdf.io.crs import georeference
from fastsdf.io.files import expand_paths
from fastsdf.io.merging import list_some
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.prepare.prepared_scan import PreparedScan
from fastsdf.system.device import choose_device, describe_device, synchronize
from fastsdf.system.memory import available_bytes, release_memory
from fastsdf.system.out_of_memory import explained
from fastsdf.system.timing import Stopwatch, process_age_s
from fastsdf.training.checkpoint import resume_session, save_session
from fastsdf.training.loop import Progress, train, with_steps
from fastsdf.training.session import Session
from fastsdf.training.step import TrainState

if TYPE_CHECKING:
    from fastsdf.commands.view import FitViewer

# Defaults of the functions below: no budget was given.
NO_LIMITS, NO_PLAN = Limits(), Plan()


@dataclass(frozen=True)
class _Job:
    """What a fit on the command line needs beside its session.

    Attributes:
        console: where to print.
        run: folder that the files are written to.
        watch: wall time of each stage.
        limits, plan: the budgets and the settings chosen for them.
        origin: the step at which the fit was resumed, for run.json; empty for a new fit.
    """

    console: Any
    run: RunFolder
    watch: Stopwatch
    limits: Limits = NO_LIMITS
    plan: Plan = NO_PLAN
    origin: dict[str, Any] = field(default_factory=dict)


def fit_scan(
    scans: Sequence[Path],
    out: Path | None,
    config: FitConfig,
    reading: dict[str, Any],
    page: bool = False,
    limits: Limits = NO_LIMITS,
    view_port: int | None = None,
) -> None:
    """Fits scans and writes the run folder.

    Args:
        scans: files, folders or patterns.
        out: run folder; None names it after the first scan.
        config: settings of the fit.
        reading: options of `fastsdf.io.read_point_cloud`.
        page: whether to write report.html too; the time budget does not cover it.
        limits: budgets of time and memory.
        view_port: port of a viewer for the training surface and, until Ctrl-C, the run; None starts no viewer.
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
        run.write_view_motions(prepared.view_motions)
        console.print(f"fitting on {describe_device(session.device)}, backend {session.state.field.backend.info.name}")
        for name, value, unit in plan_rows(plan):
            console.print(f"{name}: {ui.format_value(value)} {unit}".rstrip())
        _complete(_Job(console, run, watch, limits, plan), session, page, viewer)


def _prepare(
    console: Any, watch: Stopwatch, names: list[str], config: FitConfig, reading: dict[str, Any], limits: Limits
) -> PreparedScan:
    """Reads and prepares the scans, and prints what they contain."""
    with watch.stage("read"), explained("reading the scan", THIN):
        cloud = read_point_clouds(names, **reading)
    check_early(limits, len(cloud), process_age_s())
    if choose_device(config.device) == "cpu" and (warning := memory_warning(len(cloud), available_bytes())):
        console.print(f"note: {warning}")
    measuring = explained(f"measuring {len(cloud):,} points", THIN)
    with console.status("measuring the scan"), watch.stage("prepare"), measuring:
        prepared = prepare_scan(cloud, config)
    prepared.facts["scan"] = names[0] if len(names) == 1 else names
    describe_scan(console, list_some(names), prepared.facts)
    return prepared


def resume_run(path: Path, page: bool = False, view_port: int | None = None, device: str | None = None) -> None:
    """Resumes an interrupted fit.

    Args:
        path, page, view_port: run folder, and options of `fit_scan`.
        device: device to continue on; None keeps that of the run.
    """
    _check_page(page)
    console, run, watch = ui.make_console(), RunFolder(path), Stopwatch()
    with _viewer(console, view_port) as viewer:
        with watch.stage("read"):
            session = resume_session(run, device)
        console.print(f"resuming at step {session.state.step} of {session.config.training.steps}")
        job = _Job(console, run, watch, origin={"resumed_at_step": session.state.step})
        _complete(job, session, page, viewer)


def _complete(job: _Job, session: Session, page: bool, viewer: "FitViewer | None") -> None:
    """Trains to the last step, writes the files of the run, and shows the run if there is a viewer."""
    session = _train(job, session, viewer.growing(session) if viewer else None)
    if job.plan.time:
        session, settled = settle_mesh(session, job.plan.time, process_age_s())
        job = replace(job, plan=job.plan._replace(time=settled))
    save_session(session, job.run.checkpoint, finished=True)
    if job.plan.memory:
        release_memory()
    mesh = _write_mesh(job, session)
    _write_page(job.run, session, page)
    if viewer:
        viewer.show(FittedField.from_session(session), mesh)


def _viewer(console: Any, port: int | None) -> "AbstractContextManager[FitViewer | None]":
    """Opens a viewer on a port before any work, so that a missing package shows early; None gives no viewer."""
    if port is None:
        return nullcontext()
    from fastsdf.commands.view import fit_viewer  # needs viser, which is optional

    return fit_viewer(console, port)


def _check_page(wanted: bool) -> None:
    """Raises InputError before any work if a report is wanted and a package for it is missing."""
    if wanted:
        from fastsdf.commands.report import check_report  # loads matplotlib, which is slow

        check_report()


def _write_page(run: RunFolder, session: Session, wanted: bool) -> None:
    if wanted:
        from fastsdf.commands.report import report_run

        report_run(run.path, None, str(session.device))


def _train(job: _Job, session: Session, look: Callable[[Progress], None] | None) -> Session:
    """Trains to the last step and returns the session; ``look`` is called whenever the progress bar is updated.

    Raises:
        TrainingError: training was interrupted; a checkpoint is saved.
    """
    run, config, pacer = job.run, session.config, None
    if job.plan.time:
        budget = job.plan.time
        pacer = Pacer(budget.train_until_s, budget.steps, budget.max_steps, process_age_s)
        config = with_steps(config, budget.max_steps)

    def save(_: TrainState) -> None:
        current = session if pacer is None else replace(session, config=with_steps(config, pacer.steps))
        save_session(current, run.checkpoint, finished=False)

    with _stop_on_interrupt() as stop_asked, job.watch.stage("train"), explained_training(run, session):
        with ui.training_bar(job.console, session.prepared.transform.half_extent_m) as move:

            def on_progress(progress: Progress) -> None:
                move(progress)
                if look:
                    look(progress)

            ended = train(session.state, config, on_progress, save, stop_asked, pacer)
        synchronize(session.device)
    session = replace(session, config=ended)
    if session.state.step != session.config.training.steps:
        save_session(session, run.checkpoint, finished=False)
        raise TrainingError(
            f"stopped at step {session.state.step} of {session.config.training.steps}; everything is saved, "
            f"resume with 'fastsdf fit --resume {run.path}'"
        )
    return session


def _write_mesh(job: _Job, session: Session) -> TriangleMesh:
    """Extracts, writes and checks the mesh of a finished fit; writes run.json and prints its summary."""
    run, watch, console = job.run, job.watch, job.console
    with console.status("extracting the surface"), watch.stage("mesh"), explained_mesh(run, session.config):
        mesh = FittedField.from_session(session).extract_mesh()
    with watch.stage("write"):
        write_mesh(mesh, run.mesh)
        facts = session.prepared.facts
        note = georeference(run.mesh, facts.get("crs"), facts.get("units", "m") == "m")
    if note:
        console.print(f"note: {note}")
    with watch.stage("check"), explained("checking the surface", f"{run.mesh} is written, run.json is not"):
        accuracy = self_accuracy(FittedField.from_session(session), session.config.seed)
    report = report_of(session, mesh, watch, job.origin, accuracy)
    spent = plan_report(job.limits, job.plan)
    if spent:
        add_actual(spent, process_age_s(), session.state.step, report["peak_memory_gib"]["host"])
        report["budget"] = spent
        run.write_config(session.config)  # the time budget may have changed the number of steps
    run.write_report(report)
    ui.print_table(console, f"run {run.path}", summary_rows(report))
    console.print(f"mesh {run.mesh}; to view it: fastsdf view {run.path}", soft_wrap=True)
    return mesh


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Lets the first Ctrl-C stop the loop between two steps and the second one interrupt at once."""
    asked: list[int] = []

    def ask(number: int, _: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)
