# SPDX-License-Identifier: MIT
"""The command-line interface: parses options, calls a command, prints errors.

Each command imports its modules when it runs, so that ``--help`` starts quickly.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fastsdf import __version__
from fastsdf.commands.app_budgets import Memory, TimeBudget, limits
from fastsdf.commands.app_config import Assignments, ConfigFiles, Preset, config_app
from fastsdf.commands.app_outputs import Device, Port, VoxelSize, grid, mesh, view
from fastsdf.commands.app_scans import (
    PoseFile,
    RefinePoses,
    Scans,
    ScanUnits,
    Scene,
    Sensor,
    Stride,
    Trajectory,
    reading_options,
)
from fastsdf.errors import FastSDFError, InputError
from fastsdf.system.out_of_memory import never_a_traceback

app = typer.Typer(
    name="fastsdf",
    help="Reconstruct clean meshes from large indoor point clouds.",
    epilog="Start with: fastsdf fit scan.ply -o runs/scan",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config_app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastsdf {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def _root(version: Version = False) -> None:
    """Reconstruct clean meshes from large indoor point clouds."""


@app.command(epilog="Example: fastsdf fit room.ply -o runs/room --voxel-size 0.01")
def fit(
    scans: Scans = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Run folder (default: runs/<scan name>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the interrupted fit in this run folder.")] = None,
    preset: Preset = None,
    config: ConfigFiles = None,
    assign: Assignments = None,
    scene: Scene = None,
    sensor: Sensor = None,
    poses: PoseFile = None,
    trajectory: Trajectory = None,
    refine_poses: RefinePoses = None,
    stride: Stride = None,
    units: ScanUnits = "m",
    voxel_size: VoxelSize = None,
    steps: Annotated[int | None, typer.Option(help="Number of training steps.")] = None,
    backend: Annotated[str | None, typer.Option(help="Compute backend; see 'fastsdf doctor'.")] = None,
    device: Device = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    time_budget: TimeBudget = None,
    memory: Memory = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html into the run folder (needs matplotlib, jinja2).")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--view", help="Show the surface in a browser during training, then the finished run (needs viser)."
        ),
    ] = False,
    port: Port = 8080,
) -> None:
    """Reconstruct a surface from a scan; write mesh.ply, config.yaml, run.json, checkpoint.pt to a folder."""
    from fastsdf.commands.fit import fit_scan, resume_run
    from fastsdf.config.loading import load_config

    if resume is not None:
        given = (scans, out, preset, config, assign, scene, sensor, poses, stride, voxel_size, steps, backend)
        given = (*given, trajectory, refine_poses, time_budget, memory)
        if units != "m" or any(value is not None and value != [] for value in (*given, seed)):
            raise InputError(
                "--resume uses the run's own scan, folder and settings; give no SCAN and no option except --device, "
                "--report, --view and --port"
            )
        resume_run(resume, report, port if watch else None, device)
        return
    if not scans:
        raise InputError("no scan given; run: fastsdf fit SCAN -o RUN")
    settings = load_config(
        preset,
        config or (),
        assign or (),
        scene=scene,
        prepare__refine_poses=refine_poses,
        mesh__voxel_size_m=voxel_size,
        training__steps=steps,
        backend=backend,
        device=device,
        seed=seed,
    )
    reading = reading_options(sensor, poses, trajectory, stride, units)
    view_port = port if watch else None
    fit_scan(scans, out, settings, reading, report, limits(time_budget, memory), view_port)


@app.command(epilog="Example: fastsdf info room.ply --json room.json")
def info(
    scans: Scans = None,
    preset: Preset = None,
    config: ConfigFiles = None,
    assign: Assignments = None,
    scene: Scene = None,
    sensor: Sensor = None,
    poses: PoseFile = None,
    trajectory: Trajectory = None,
    stride: Stride = None,
    units: ScanUnits = "m",
    device: Device = None,
    time_budget: TimeBudget = None,
    memory: Memory = None,
    json: Annotated[Path | None, typer.Option("--json", help="Also write the values to this JSON file.")] = None,
) -> None:
    """Show what a scan contains and which settings a fit would choose for it."""
    from fastsdf.commands.info import print_info
    from fastsdf.config.loading import load_config

    if not scans:
        raise InputError("no scan given; run: fastsdf info SCAN")
    settings = load_config(preset, config or (), assign or (), scene=scene, device=device)
    reading = reading_options(sensor, poses, trajectory, stride, units)
    print_info(scans, settings, reading, json, limits(time_budget, memory))


app.command(epilog="Example: fastsdf mesh runs/room -o room.glb --voxel-size 0.02")(mesh)
app.command(epilog="Example: fastsdf grid runs/room -o sdf.npz --voxel-size 0.05")(grid)
app.command(epilog="Example: fastsdf view runs/room --open")(view)


@app.command("report", epilog="Example: fastsdf report runs/room -o room.html")
def report_(
    run: Annotated[Path, typer.Argument(help="Run folder of a fit.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="HTML file to write (default: report.html in RUN).")
    ] = None,
    up: Annotated[str, typer.Option(help="Axis of the scan that points up: x, y, z, -x, -y or -z.")] = "z",
    device: Device = None,
) -> None:
    """Write an HTML page about a run: pictures, sections of the field, training curves, metrics."""
    from fastsdf.commands.report import report_run

    report_run(run, out, device or "auto", up)


@app.command(epilog="Example: fastsdf demo --open")
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder to write.")] = Path("runs/demo"),
    assign: Assignments = None,
    device: Device = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Reconstruct the bundled scan; write a run folder with mesh.ply and report.html."""
    from fastsdf.commands.demo import run_demo

    run_demo(out, assign or (), device, show)


@app.command("eval", epilog="Example: fastsdf eval runs/room/mesh.ply --reference truth.ply --json scores.json")
def evaluate(
    mesh: Annotated[Path, typer.Argument(help="Mesh to score.")],
    reference: Annotated[Path, typer.Option(help="Ground-truth surface: a mesh or a dense point cloud.")],
    observed: Annotated[
        Path | None,
        typer.Option(
            help="Points of the surface that the scanner could see; recall is measured at them. "
            "A PLY may label them by the properties thin and planar."
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(help="Protocol: the named settings of the metrics.")] = "room",
    json: Annotated[Path | None, typer.Option("--json", help="Also write the metrics to this JSON file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random surface samples.")] = 0,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write an HTML page with error maps (needs matplotlib, jinja2).")
    ] = None,
    up: Annotated[str, typer.Option(help="Axis that points up on the page: x, y, z, -x, -y or -z.")] = "z",
) -> None:
    """Score a mesh against a reference: accuracy, completeness, Chamfer, F-score, normals, hallucinated area."""
    from fastsdf.commands.evaluate import Page, evaluate_mesh

    page = None if html is None else Page(html, up)
    evaluate_mesh(mesh, reference, observed, protocol, json, seed, page)


@app.command()
def doctor() -> None:
    """Show which devices, backends and file readers work on this machine, and why the others do not."""
    from fastsdf.commands.doctor import print_doctor

    print_doctor()


def main() -> None:
    """Runs the app; prints an error as one line on stderr and ends with its exit code.

    Idle OpenMP threads sleep instead of spinning, unless OMP_WAIT_POLICY is set: torch and numba each keep a thread
    pool, and spinning threads of one pool would take cores from the other.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with never_a_traceback():
            app()
    except FastSDFError as error:
        typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
