# SPDX-License-Identifier: MIT
"""What ``fastsdf mesh`` does: a run folder in, a mesh file out."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fastsdf import console as ui
from fastsdf.errors import InputError
from fastsdf.io import check_mesh_path, write_mesh
from fastsdf.meshing import check_color_source, check_decimation, color_by, decimate, is_closed
from fastsdf.meshing.attributes import MEASURED
from fastsdf.run_folder import RunFolder
from fastsdf.scan import TriangleMesh


class MeshFinish(NamedTuple):
    """What is done to an extracted mesh: most faces, colours (see `fastsdf.meshing.color_by`) and the axis up."""

    max_faces: int | None = None
    color_by: str | None = None
    up: str = "z"


def mesh_extraction(
    voxel_size_m: float | None,
    support_spacings: float | None,
    closed: bool | None,
    min_component_area_m2: float | None,
    *,
    close_holes_m: float | None = None,
    watertight: bool = False,
) -> dict[str, Any]:
    """Arguments of `FittedField.extract_mesh` from the command's options; None keeps what the fit chose.

    Raises:
        InputError: if a length is out of range, or two options say differently what is kept.
    """
    if voxel_size_m is not None and not voxel_size_m > 0:
        raise InputError(f"--voxel-size is {voxel_size_m}; give a length above 0")
    if support_spacings is not None and not support_spacings >= 0:
        raise InputError(f"--support is {support_spacings}; give a number of point spacings above 0, or 0 to keep all")
    if min_component_area_m2 is not None and not min_component_area_m2 >= 0:
        raise InputError(f"--min-component-area is {min_component_area_m2}; give an area, or 0 to keep all pieces")
    if close_holes_m is not None and not 0 <= close_holes_m < math.inf:
        raise InputError(f"--close-holes is {close_holes_m}; give the largest diameter of a hole, e.g. 0.3")
    asked = {
        "--closed": closed is True,
        "--open": closed is False,
        "--support 0": support_spacings == 0,
        "--close-holes": close_holes_m is not None,
        "--watertight": watertight,
    }
    given = [name for name, is_given in asked.items() if is_given]
    if len(given) > 1 and given != ["--closed", "--support 0"]:
        raise InputError(f"{' and '.join(given)} exclude each other: give one of them")
    return {
        "voxel_size_m": voxel_size_m,
        "support_spacings": support_spacings or None,
        "support_points": 0.0 if support_spacings == 0 or closed else None,
        "gap_spacings": 0.0 if closed is False else None,
        "close_holes_m": 0.0 if closed is False else close_holes_m,
        "watertight": watertight if watertight or given else None,
        "min_component_area_m2": min_component_area_m2,
    }


def mesh_run(path: Path, out: Path, device: str, extraction: dict[str, Any], finish: MeshFinish) -> None:
    """Extracts a mesh from a run.

    Args:
        path: the run folder.
        out: the mesh file.
        device: where to evaluate the field.
        extraction: see `mesh_extraction`.
        finish: what is done to the mesh afterwards.

    Raises:
        InputError: before any work, if the file or a finish cannot be had.
    """
    check_mesh_path(out, finish.up)
    if finish.color_by is not None:
        check_color_source(finish.color_by)
    if finish.max_faces is not None:
        check_decimation(finish.max_faces)
    console = ui.make_console()
    fitted = RunFolder(path).load_fitted(device)
    with console.status("extracting the surface"):
        result = fitted.extract_mesh(**extraction)
        result = result if finish.max_faces is None else decimate(result, finish.max_faces)
    result = result if finish.color_by is None else color_by(result, finish.color_by)
    write_mesh(result, out, finish.up)
    voxel_size_m = extraction["voxel_size_m"] or fitted.config.mesh.voxel_size_m
    closed = is_closed(torch.from_numpy(result.faces))
    if extraction["watertight"] and not closed:
        console.print("note: fewer faces made surfaces touch; --voxel-size instead of --max-faces keeps it watertight")
    ui.print_table(console, f"mesh {out}", _mesh_rows(result, voxel_size_m, closed))


def _mesh_rows(mesh: TriangleMesh, voxel_size_m: float | None, closed: bool) -> list[tuple[str, Any, str]]:
    return [
        ("vertices", len(mesh.vertices), ""),
        ("faces", len(mesh.faces), ""),
        ("voxel size", voxel_size_m, "m"),
        ("vertices measured", 100.0 * float(mesh.attributes[MEASURED].mean()), "%"),
        ("watertight", closed, ""),
    ]
