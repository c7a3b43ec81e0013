# SPDX-License-Identifier: MIT
"""``fastsdf mesh``: extracts a mesh from a run and writes it to a file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from fastsdf.commands import console as ui
from fastsdf.errors import InputError
from fastsdf.geometry import TriangleMesh
from fastsdf.io import check_mesh_path, write_mesh
from fastsdf.io.crs import georeference
from fastsdf.io.sidecars import transform_path, write_transform
from fastsdf.io.writers import file_matrix
from fastsdf.meshing import (
    check_color_source,
    check_decimation,
    check_smoothing,
    color_by,
    decimate,
    floor_alignment,
    is_closed,
    smooth,
)
from fastsdf.meshing.attributes import MEASURED
from fastsdf.model import FittedField
from fastsdf.system.out_of_memory import explained


class MeshFinish(NamedTuple):
    """Processing of an extracted mesh before it is written.

    Attributes:
        max_faces: largest number of faces (`fastsdf.meshing.decimate`); None keeps all.
        color_by: source of the colours (`fastsdf.meshing.color_by`); None keeps those of the scan.
        up: axis of the file that points up.
        units: unit of the file's coordinates.
        smooth: number of rounds of `fastsdf.meshing.smooth`.
        align_floor: whether to move the floor to z = 0 (`fastsdf.meshing.floor_alignment`).
    """

    max_faces: int | None = None
    color_by: str | None = None
    up: str = "z"
    units: str = "m"
    smooth: int = 0
    align_floor: bool = False


def mesh_extraction(
    voxel_size_m: float | None = None,
    support_spacings: float | None = None,
    min_component_area_m2: float | None = None,
    *,
    opened: bool = False,
    close_holes_m: float | None = None,
    closed: bool = False,
    watertight: bool = False,
) -> dict[str, Any]:
    """Turns the command's options into arguments of `FittedField.extract_mesh`; None keeps the setting of the fit.

    Raises:
        InputError: if a length is out of range, or two options about the kept surface contradict each other.
    """
    if voxel_size_m is not None and not voxel_size_m > 0:
        raise InputError(f"--voxel-size is {voxel_size_m}; give a length above 0")
    if support_spacings is not None and not support_spacings >= 0:
        raise InputError(f"--support is {support_spacings}; give a number of point spacings above 0, or 0 to keep all")
    if min_component_area_m2 is not None and not min_component_area_m2 >= 0:
        raise InputError(f"--min-component-area is {min_component_area_m2}; give an area, or 0 to keep all pieces")
    if close_holes_m is not None and not 0 < close_holes_m < math.inf:
        raise InputError(f"--close-holes is {close_holes_m}; give the largest diameter of a hole in metres, e.g. 0.3")
    closed = closed or support_spacings == 0
    keep_options = {
        "--open": opened,
        "--close-holes": close_holes_m is not None,
        "--closed": closed,
        "--watertight": watertight,
    }
    given = [name for name, is_given in keep_options.items() if is_given]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other: give one of them")
    return {
        "voxel_size_m": voxel_size_m,
        "support_spacings": support_spacings or None,
        "min_confidence": 0.0 if closed else None,
        "gap_spacings": 0.0 if opened else None,
        "close_holes_m": 0.0 if opened else close_holes_m,
        "watertight": watertight if given else None,
        "min_component_area_m2": min_component_area_m2,
    }


def mesh_run(path: Path, out: Path, device: str, extraction: dict[str, Any], finish: MeshFinish) -> None:
    """Extracts a mesh from a run and writes it.

    Args:
        path: run folder.
        out: mesh file to write.
        device: device that evaluates the field.
        extraction: result of `mesh_extraction`.
        finish: processing of the mesh afterwards.

    Raises:
        InputError: before any work if the file cannot be written or a finishing option cannot be used.
    """
    _check_finish(out, finish)
    console = ui.make_console()
    fitted = FittedField.load(path, device)
    voxel_size_m = extraction["voxel_size_m"] or fitted.config.mesh.voxel_size_m
    assert voxel_size_m is not None
    advice = f"use larger cells, e.g. --voxel-size {2 * voxel_size_m:.2g}, which need a quarter, or --device cpu"
    cells = f"extracting a mesh with cells of {voxel_size_m:.3g} m"
    with console.status("extracting the surface"), explained(cells, advice):
        result = fitted.extract_mesh(**extraction)
        result = smooth(result, finish.smooth)
        result = result if finish.max_faces is None else decimate(result, finish.max_faces)
    result = result if finish.color_by is None else color_by(result, finish.color_by)
    alignment = floor_alignment(result) if finish.align_floor else None
    _write(console, result, alignment, out, finish, fitted.scan.facts)
    closed = is_closed(torch.from_numpy(result.faces))
    if extraction["watertight"] and not closed:
        console.print(
            "note: reducing the faces made surfaces touch; use --voxel-size, not --max-faces, to keep it watertight"
        )
    ui.print_table(console, f"mesh {out}", _mesh_rows(result, voxel_size_m, closed))


def _check_finish(out: Path, finish: MeshFinish) -> None:
    check_mesh_path(out, finish.up, finish.units)
    check_smoothing(finish.smooth)
    if finish.color_by is not None:
        check_color_source(finish.color_by)
    if finish.max_faces is not None:
        check_decimation(finish.max_faces)


def _write(
    console: Any,
    mesh: TriangleMesh,
    alignment: np.ndarray | None,
    out: Path,
    finish: MeshFinish,
    facts: Mapping[str, Any],
) -> None:
    """Writes the mesh and its side files: the rigid motion from the scan, and its coordinate reference system."""
    write_mesh(mesh if alignment is None else mesh.moved(alignment), out, finish.up, finish.units)
    matrix = None if alignment is None else file_matrix(finish.up, finish.units) @ alignment
    write_transform(matrix, out)
    if matrix is not None:
        console.print(f"aligned to the floor; {transform_path(out)} holds the motion from the scan")
    as_scanned = alignment is None and finish.up == "z" and finish.units == facts.get("units", "m")
    note = georeference(out, facts.get("crs"), as_scanned)
    if note:
        console.print(f"note: {note}")


def _mesh_rows(mesh: TriangleMesh, voxel_size_m: float | None, closed: bool) -> list[tuple[str, Any, str]]:
    return [
        ("vertices", len(mesh.vertices), ""),
        ("faces", len(mesh.faces), ""),
        ("voxel size", voxel_size_m, "m"),
        ("vertices measured", 100.0 * float(mesh.attributes[MEASURED].mean()), "%"),
        ("watertight", closed, ""),
    ]
