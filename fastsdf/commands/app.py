# SPDX-License-Identifier: MIT
"""The command line: parse, call, print. Heavy imports happen inside the commands."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fastsdf import __version__
from fastsdf.commands.app_budgets import Memory, TimeBudget, limits
from fastsdf.commands.app_config import Assignments, ConfigFiles, Preset, config_app
from fastsdf.commands.app_outputs import Device, Port, VoxelSize, grid, mesh, view
from fastsdf.errors import FastSDFError, InputError
from fastsdf.system.out_of_memory import never_a_traceback

app = typer.Typer(
    name="fastsdf",
    help="Large indoor point clouds to clean meshes.",
    epilog="Start with: fastsdf fit scan.ply -o runs/scan",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config_app, name="config")

Scans = Annotated[
    list[Path] | None,
    typer.Argument(metavar="SCAN", help="Point clouds, meshes to sample, folders of depth images."),
]
Scene = Annotated[str | None, typer.Option(help="room (air inside the scan) or object (air around it).")]
Sensor = Annotated[str | None, typer.Option(help="x,y,z of the scanner, for scans without positions.")]
PoseFile = Annotated[Path | None, typer.Option(help="File of poses, for points with a 'view' index.")]
Trajectory = Annotated[Path | None, typer.Option(help="File of lines 'time x y z', for points with times.")]
Stride = Annotated[int | None, typer.Option(help="Use every n-th pixel of depth images both ways.")]
ScanUnits = Annotated[str, typer.Option("--units", help="Units of the scan's coordinates: m, cm, mm, ft or in.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastsdf {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")]


@app.callback()
def _root(version: Version = False) -> None:
    """Large indoor point clouds to clean meshes."""


@app.command(epilog="Example: fastsdf fit room.ply -o runs/room --voxel-size 0.01")
def fit(
    scans: Scans = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Run folder (default: runs/<scan name>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run folder.")] = None,
    preset: Preset = None,
    config: ConfigFiles = None,
    assign: Assignments = None,
    scene: Scene = None,
    sensor: Sensor = None,
    poses: PoseFile = None,
    trajectory: Trajectory = None,
    stride: Stride = None,
    units: ScanUnits = "m",
    voxel_size: VoxelSize = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    backend: Annotated[str | None, typer.Option(help="Compute backend; see 'fastsdf doctor'.")] = None,
    device: Device = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw.")] = None,
    time_budget: TimeBudget = None,
    memory: Memory = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html (needs matplotlib, jinja2).")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--view", help="Show the surface in a browser as it grows, then the run (needs viser).")
    ] = False,
    port: Port = 8080,
) -> None:
    """Reconstruct a surface from a scan: writes mesh.ply, config.yaml, run.json and checkpoint.pt into a run folder."""
    from fastsdf.commands.fit import fit_scan, resume_run
    from fastsdf.config.loading import load_config

    if resume is not None:
        given = (scans, out, preset, config, assign, scene, sensor, poses, stride, voxel_size, steps, backend)
        given = (*given, trajectory, time_budget, memory)
        if units != "m" or any(value is not None and value != [] for value in (*given, seed)):
            raise InputError(
                "--resume uses the run's own scan, folder and settings; leave SCAN and options out, except --device"
            )
        resume_run(resume, report, port if watch else None, device)
        return
    if not scans:
        raise InputError("no scan given; write: fastsdf fit SCAN -o RUN")
    settings = load_config(
        preset,
        config or (),
        assign or (),
        scene=scene,
        mesh__voxel_size_m=voxel_size,
        training__steps=steps,
        backend=backend,
        device=device,
        seed=seed,
    )
    reading = _reading(sensor, poses, trajectory, stride, units)
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
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Say what a scan holds and what a fit would choose for it."""
    from fastsdf.commands.info import print_info
    from fastsdf.config.loading import load_config

    if not scans:
        raise InputError("no scan given; write: fastsdf info SCAN")
    settings = load_config(preset, config or (), assign or (), scene=scene, device=device)
    reading = _reading(sensor, poses, trajectory, stride, units)
    print_info(scans, settings, reading, json, limits(time_budget, memory))


app.command(epilog="Example: fastsdf mesh runs/room -o room.glb --voxel-size 0.02")(mesh)
app.command(epilog="Example: fastsdf grid runs/room -o sdf.npz --voxel-size 0.05")(grid)
app.command(epilog="Example: fastsdf view runs/room --open")(view)


@app.command("report", epilog="Example: fastsdf report runs/room -o room.html")
def report_(
    run: Annotated[Path, typer.Argument(help="Run folder of a fit.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="HTML file (default: report.html in RUN).")] = None,
    up: Annotated[str, typer.Option(help="Axis of the scan that points up: x, y, z, -x, -y or -z.")] = "z",
    device: Device = None,
) -> None:
    """Write a page about a run: pictures, sections of the field, training curves, figures."""
    from fastsdf.commands.report import report_run

    report_run(run, out, device or "auto", up)


@app.command(epilog="Example: fastsdf demo --open")
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder.")] = Path("runs/demo"),
    assign: Assignments = None,
    device: Device = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Reconstruct the bundled scan: writes a run folder with mesh.ply and report.html."""
    from fastsdf.commands.demo import run_demo

    run_demo(out, assign or (), device, show)


@app.command("eval", epilog="Example: fastsdf eval runs/room/mesh.ply --reference truth.ply --json scores.json")
def evaluate(
    mesh: Annotated[Path, typer.Argument(help="Mesh to score.")],
    reference: Annotated[Path, typer.Option(help="True surface: a mesh, or a dense point cloud.")],
    observed: Annotated[
        Path | None,
        typer.Option(
            help="Points of the surface that could be seen: the recall side. "
            "A PLY may mark them by properties thin and planar."
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(help="Named set of metrics.")] = "room",
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the surface samples.")] = 0,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with error maps (needs matplotlib, jinja2).")
    ] = None,
    up: Annotated[str, typer.Option(help="Axis that points up on the page: x, y, z, -x, -y or -z.")] = "z",
) -> None:
    """Score a mesh against a reference: accuracy, completeness, Chamfer, F-score, normals, hallucinated area."""
    from fastsdf.commands.evaluate import Page, evaluate_mesh

    page = None if html is None else Page(html, up)
    evaluate_mesh(mesh, reference, observed, protocol, json, seed, page)


@app.command()
def doctor() -> None:
    """Say which devices, backends and readers work here, and why the others do not."""
    from fastsdf.commands.doctor import print_doctor

    print_doctor()


def _reading(
    sensor: str | None, poses: Path | None, trajectory: Path | None, stride: int | None, units: str
) -> dict[str, Any]:
    """Options of `fastsdf.io.read_point_cloud`."""
    position = _position(sensor)
    return {"sensor": position, "poses": poses, "trajectory": trajectory, "stride": stride, "units": units}


def _position(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--sensor '{text}': write three numbers, e.g. --sensor 1.2,0.5,1.6") from error
    return x, y, z


def main() -> None:
    """Entry point: runs the app; errors become one line on stderr and their exit code.

    Idle OpenMP threads are told to sleep rather than spin (unless the user says otherwise): torch and numba keep thread
    pools of their own, which would spin on each other's cores.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with never_a_traceback():
            app()
    except FastSDFError as error:
        typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
