# SPDX-License-Identifier: MIT
"""Commands that bring out what a run holds: ``mesh``, ``grid``, ``view``. Heavy imports happen inside."""

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="Run folder of a fit.")]
VoxelSize = Annotated[float | None, typer.Option(help="Edge of the cells in metres.")]
Port = Annotated[int, typer.Option(help="Port of the viewer; 0 takes any free one.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]

_KEPT, _FINISH = "What is kept", "Finish and file"


def mesh(
    run: Run,
    out: Annotated[Path, typer.Option("-o", "--out", help="Mesh file: .ply, .obj, .glb, .stl, .usda or .usdc.")],
    voxel_size: VoxelSize = None,
    opened: Annotated[bool, typer.Option("--open", help="Only what is measured.", rich_help_panel=_KEPT)] = False,
    close_holes: Annotated[
        float | None,
        typer.Option(metavar="SIZE", help="Also holes up to this diameter (m).", rich_help_panel=_KEPT),
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="All surface near the scan.", rich_help_panel=_KEPT)] = False,
    watertight: Annotated[
        bool, typer.Option("--watertight", help="All surface, closed by a box.", rich_help_panel=_KEPT)
    ] = False,
    support: Annotated[
        float | None,
        typer.Option(help="What counts as measured: within this many spacings of a point.", rich_help_panel=_KEPT),
    ] = None,
    min_component_area: Annotated[
        float | None, typer.Option(help="Drop pieces smaller than this area.", rich_help_panel=_KEPT)
    ] = None,
    smooth: Annotated[
        int, typer.Option(help="Rounds of smoothing that keeps edges, e.g. 5.", rich_help_panel=_FINISH)
    ] = 0,
    max_faces: Annotated[
        int | None, typer.Option(help="Reduce to at most about this many faces.", rich_help_panel=_FINISH)
    ] = None,
    color_by: Annotated[
        str | None, typer.Option(help="scan, confidence or normals (default: the scan's).", rich_help_panel=_FINISH)
    ] = None,
    align_floor: Annotated[
        bool,
        typer.Option("--align-floor", help="Floor to z = 0, walls along x and y.", rich_help_panel=_FINISH),
    ] = False,
    up: Annotated[
        str, typer.Option(help="y turns a z-up scan to y up (OBJ, GLB, USD).", rich_help_panel=_FINISH)
    ] = "z",
    units: Annotated[str, typer.Option(help="Of the file: m, cm, mm, ft or in.", rich_help_panel=_FINISH)] = "m",
    device: Device = None,
) -> None:
    """Extract a mesh from a run at any resolution.

    By default it is what the scan measured, with small gaps bridged.
    """
    from fastsdf.commands.mesh import MeshFinish, mesh_extraction, mesh_run

    extraction = mesh_extraction(
        voxel_size,
        support,
        min_component_area,
        opened=opened,
        close_holes_m=close_holes,
        closed=closed,
        watertight=watertight,
    )
    finish = MeshFinish(max_faces, color_by, up, units, smooth, align_floor)
    mesh_run(run, out, device or "auto", extraction, finish)


def grid(
    run: Run,
    out: Annotated[Path, typer.Option("-o", "--out", help="Grid file: .npz, or .vdb with OpenVDB installed.")],
    voxel_size: VoxelSize = None,
    band: Annotated[
        float | None, typer.Option(help="Only nodes this close to the surface (default: all; .vdb: 3 voxels).")
    ] = None,
    device: Device = None,
) -> None:
    """Write the signed distances of a run on a regular grid; positive in the air, negative in solid."""
    from fastsdf.commands.grid import grid_run

    grid_run(run, out, voxel_size, band, device or "auto")


def view(
    run: Run,
    port: Port = 8080,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    up: Annotated[str, typer.Option(help="Axis of the scan that points up: x, y, z, -x, -y or -z.")] = "z",
    device: Device = None,
    show: Annotated[bool, typer.Option("--open", help="Open a browser.")] = False,
) -> None:
    """Show a run in a browser: scan, mesh, sections of the field, error, confidence, levels. Ctrl-C ends."""
    from fastsdf.commands.view import view_run

    view_run(run, host, port, up, device or "auto", show)
