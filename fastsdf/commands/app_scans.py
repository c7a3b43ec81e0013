# SPDX-License-Identifier: MIT
"""The options of the commands that read scans: ``fastsdf fit`` and ``fastsdf info``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fastsdf.errors import InputError

Scans = Annotated[
    list[Path] | None,
    typer.Argument(metavar="SCAN", help="Point clouds, meshes (sampled to points) or folders of depth images."),
]
Scene = Annotated[str | None, typer.Option(help="room (the air is inside the scan) or object (the air is around it).")]
Sensor = Annotated[str | None, typer.Option(help="Position x,y,z of the scanner, for scans that do not store it.")]
PoseFile = Annotated[Path | None, typer.Option(help="File of camera poses, for points with a 'view' index.")]
Trajectory = Annotated[
    Path | None, typer.Option(help="File of scanner positions, lines 'time x y z', for points with times.")
]
RefinePoses = Annotated[
    str | None,
    typer.Option(metavar="auto|off", help="Move stations, sweeps or frames that disagree, where that helps (auto)."),
]
Stride = Annotated[int | None, typer.Option(help="Use every n-th row and column of depth images.")]
ScanUnits = Annotated[str, typer.Option("--units", help="Unit of the scan's coordinates: m, cm, mm, ft or in.")]


def reading_options(
    sensor: str | None, poses: Path | None, trajectory: Path | None, stride: int | None, units: str
) -> dict[str, Any]:
    """Collects the options of `fastsdf.io.read_point_cloud`."""
    position = _position(sensor)
    return {"sensor": position, "poses": poses, "trajectory": trajectory, "stride": stride, "units": units}


def _position(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--sensor is '{text}'; give three numbers, e.g. --sensor 1.2,0.5,1.6") from error
    return x, y, z
