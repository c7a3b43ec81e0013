# SPDX-License-Identifier: MIT
"""The options of the commands that read a finished run: ``fastsdf mesh``, ``grid`` and ``view``."""

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="Run folder of a fit.")]
VoxelSize = Annotated[float | None, typer.Option(help="Edge length of a mesh or grid cell in metres.")]
Port = Annotated[int, typer.Option(help="Port of the viewer; 0 takes any free port.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]

_KEPT, _FINISH = "Kept surface", "Finish and file"  # headings of the help page


def mesh(
    run: Run,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Mesh file to write: .ply, .obj, .glb, .stl, .usda or .usdc.")
    ],
    voxel_size: VoxelSize = None,
    opened: Annotated[
        bool, typer.Option("--open", help="Keep measured surface only; leave gaps open.", rich_help_panel=_KEPT)
    ] = False,
    close_holes: Annotated[
        float | None,
        typer.Option(metavar="SIZE", help="Also close holes up to this diameter (m).", rich_help_panel=_KEPT),
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Keep all surface near the scan, measured or not.", rich_help_panel=_KEPT)
    ] = False,
    watertight: Annotated[
        bool,
        typer.Option("--watertight", help="Keep all surface, closed at the faces of a box.", rich_help_panel=_KEPT),
    ] = False,
    support: Annotated[
        float | None,
        typer.Option(
            help="Count surface as measured within this many point spacings of a scan point.", rich_help_panel=_KEPT
        ),
    ] = None,
    min_component_area: Annotated[
        float | None, typer.Option(help="Drop pieces smaller than this area (m^2).", rich_help_panel=_KEPT)
    ] = None,
    smooth: Annotated[
        int, typer.Option(help="Number of rounds of edge-preserving smoothing, e.g. 5.", rich_help_panel=_FINISH)
    ] = 0,
    max_faces: Annotated[
        int | None, typer.Option(help="Reduce the mesh to about this many faces.", rich_help_panel=_FINISH)
    ] = None,
    color_by: Annotated[
        str | None,
        typer.Option(
            help="Source of the colours: scan, confidence or normals (default: scan if it has colours).",
            rich_help_panel=_FINISH,
        ),
    ] = None,
    align_floor: Annotated[
        bool,
        typer.Option(
            "--align-floor", help="Move the floor to z = 0 and turn the walls along x and y.", rich_help_panel=_FINISH
        ),
    ] = False,
    up: Annotated[
        str,
        typer.Option(
            help="Axis that points up in the file; y turns a z-up scan (OBJ, GLB, USD).", rich_help_panel=_FINISH
        ),
    ] = "z",
    units: Annotated[
        str, typer.Option(help="Unit of the file's coordinates: m, cm, mm, ft or in.", rich_help_panel=_FINISH)
    ] = "m",
    device: Device = None,
) -> None:
    """Extract a mesh from a run at any resolution.

    The default mesh holds the surface that the scan measured, with small gaps bridged.
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
    out: Annotated[Path, typer.Option("-o", "--out", help="Grid file to write: .npz, or .vdb (needs OpenVDB).")],
    voxel_size: VoxelSize = None,
    band: Annotated[
        float | None,
        typer.Option(
            help="Write only nodes within this distance of the surface, in metres (default: all; .vdb: 3 voxels)."
        ),
    ] = None,
    device: Device = None,
) -> None:
    """Write the signed distances of a run on a regular grid: positive in air, negative in solid."""
    from fastsdf.commands.grid import grid_run

    grid_run(run, out, voxel_size, band, device or "auto")


def view(
    run: Run,
    port: Port = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 accepts other machines.")] = "127.0.0.1",
    up: Annotated[str, typer.Option(help="Axis of the scan that points up: x, y, z, -x, -y or -z.")] = "z",
    device: Device = None,
    show: Annotated[bool, typer.Option("--open", help="Open a browser window.")] = False,
) -> None:
    """Show a run in a browser: scan, mesh, sections of the field, error, confidence, levels. Ctrl-C ends it."""
    from fastsdf.commands.view import view_run

    view_run(run, host, port, up, device or "auto", show)
