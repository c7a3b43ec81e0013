# SPDX-License-Identifier: MIT
"""``fastsdf grid``: samples the signed distances of a run on a regular grid and writes them to a file."""

from pathlib import Path

from fastsdf.commands import console as ui
from fastsdf.errors import InputError
from fastsdf.io import check_grid_path, write_grid
from fastsdf.model import FittedField
from fastsdf.system.out_of_memory import explained

VDB_BAND_VOXELS = 3.0  # voxels; half width of a narrow band, the default of OpenVDB


def grid_run(path: Path, out: Path, voxel_size_m: float | None, band_m: float | None, device: str) -> None:
    """Samples the field of a run and writes the grid.

    Args:
        path: run folder.
        out: grid file to write.
        voxel_size_m: distance between neighbouring nodes; None takes the voxel size of the run's mesh.
        band_m: largest distance from the surface of the nodes written; None writes all nodes (.vdb: three voxels).
        device: device that evaluates the field.

    Raises:
        InputError: before any work if the file cannot be written or a length is out of range.
    """
    check_grid_path(out)
    if voxel_size_m is not None and not voxel_size_m > 0:
        raise InputError(f"--voxel-size is {voxel_size_m}; give a length above 0")
    if band_m is not None and not band_m > 0:
        raise InputError(f"--band is {band_m}; give a length above 0, or leave it out to write all nodes")
    console = ui.make_console()
    fitted = FittedField.load(path, device)
    voxel_size_m = voxel_size_m or fitted.config.mesh.voxel_size_m
    if band_m is None and voxel_size_m is not None and out.suffix.lower() == ".vdb":
        band_m = VDB_BAND_VOXELS * voxel_size_m
    advice = "give a larger --voxel-size, or a narrow --band around the surface"
    with console.status("sampling the field"), explained(f"sampling a grid of {voxel_size_m:g} m voxels", advice):
        grid = fitted.sample_grid(voxel_size_m, band_m)
    write_grid(grid, out)
    nodes = " x ".join(f"{n:,}" for n in grid.values.shape)
    rows = [("nodes", nodes, ""), ("voxel size", grid.voxel_size_m, "m"), ("band", grid.band_m, "m")]
    ui.print_table(console, f"grid {out}", rows)
