# SPDX-License-Identifier: MIT
"""Times every stage from a field to a mesh file, as CSV rows; the field is a run, or exact furnished rooms.

    python -m benchmarks.speed.meshing --rooms 2 --spacing 0.02 --voxel-size 0.01 --device cuda
    python -m benchmarks.speed.meshing --run runs/room --device cuda

The first repetition warms up (kernels, memory, the case table) and is not counted. Every timed stage waits for the
device, so the sum of the stages can slightly exceed the time of an undisturbed extraction, which is measured as well.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
import typer
from torch import Tensor, nn

from benchmarks.shared.harness import Rows, environment
from fastsdf import write_mesh
from fastsdf.config.models import FitConfig, MeshConfig
from fastsdf.meshing import extract as sparse
from fastsdf.meshing import measured_part as trim
from fastsdf.meshing import supported_mesh as supported
from fastsdf.meshing.surface import Surface
from fastsdf.model import FittedField
from fastsdf.prepare.normalize import SceneTransform
from fastsdf.prepare.prepared_scan import PreparedScan, SurfacePoints
from fastsdf.system.device import choose_device, synchronize
from fastsdf.system.memory import peak_memory_gib

STAGES: tuple[tuple[Any, str, str], ...] = (
    (sparse, "cells_near_points", "near"),
    (sparse, "refine_cubes", "narrow"),
    (sparse, "patches", "bricks"),
    (sparse, "weld", "weld"),
    (sparse, "locate_vertices", "refine"),
    (sparse, "unit_gradient", "normals"),
    (supported, "make_discs", "index"),
    (trim, "confidence_and_colors", "discs and colours"),
    (trim, "bridges_gap", "gaps"),
    (trim, "relax_over_mesh", "relax"),
    (trim, "smooth_border", "border"),
    (supported, "cut_at_level", "cut"),
    (supported, "drop_small_components", "clean"),
    (Surface, "numpy", "to host"),
)
CORNER_M = np.array([0.0123, 0.0217, 0.0331])  # metres; chosen so that no wall passes through the nodes of the grid
ROOM_M = np.array([5.0, 4.0, 2.6])  # metres; chosen: a living room
WALL_M = 0.2  # metres; chosen: an inner wall
FURNITURE = 12  # boxes per room; chosen
BLIND_M = 0.8  # metres; radius of the floor below a scanner in the middle of a room, which the scanner cannot see
NOISE_M = 0.003  # metres; as in the scans of the accuracy benchmark


class Rooms(nn.Module):
    """The exact signed distance of a row of furnished rooms with doors between them, in the unit frame.

    Args:
        air: (a, 2, 3) lower and upper corners of the boxes that contain air, world units.
        solid: (s, 2, 3) lower and upper corners of the furniture, world units.
        transform: between world and unit frame.
    """

    def __init__(self, air: np.ndarray, solid: np.ndarray, transform: SceneTransform):
        super().__init__()
        self.spec = SimpleNamespace(grid=SimpleNamespace(num_levels=1))
        self.air, self.solid = (
            nn.Parameter(torch.as_tensor(transform.to_unit(boxes), dtype=torch.float32)) for boxes in (air, solid)
        )

    def forward(self, x: Tensor, active_levels: float) -> Tensor:
        """Distance (n,) at points (n, 3) to the nearest wall or piece of furniture, positive in the air."""
        distance = reduce(torch.maximum, (-box_distance(x, box) for box in self.air))
        return reduce(torch.minimum, (box_distance(x, box) for box in self.solid), distance)


def box_distance(x: Tensor, box: Tensor) -> Tensor:
    """Signed distance (n,) of points (n, 3) to a box (2, 3), negative inside."""
    gap = (x - box.mean(0)).abs() - 0.5 * (box[1] - box[0])
    return gap.clamp(min=0.0).norm(dim=1) + gap.amax(1).clamp(max=0.0)


def make_rooms(rooms: int, spacing_m: float, voxel_size_m: float, device: str) -> FittedField:
    """The exact field of some rooms, with a scan of them at a mean spacing and with 3 mm of noise."""
    rng = np.random.default_rng(0)
    start = CORNER_M + np.arange(rooms)[:, None] * np.array([ROOM_M[0] + WALL_M, 0.0, 0.0])
    doors = start[1:] + np.array([-WALL_M, 1.5, 0.0])
    air = np.concatenate(
        (np.stack((start, start + ROOM_M), 1), np.stack((doors, doors + np.array([WALL_M, 0.9, 2.1])), 1))
    )
    size = rng.uniform(0.2, 1.2, (rooms, FURNITURE, 3))
    low = start[:, None] + rng.uniform(0.0, 1.0, size.shape) * (ROOM_M - size) * [1.0, 1.0, 0.0]
    solid = np.stack((low, low + size), axis=2).reshape(-1, 2, 3)
    low, high = air[:, 0].min(0), air[:, 1].max(0)
    center_m, half_m = 0.5 * (low + high), 0.5 * float((high - low).max())
    transform = SceneTransform(
        tuple(center_m), half_m, tuple((low - center_m) / half_m), tuple((high - center_m) / half_m)
    )
    field: Any = Rooms(air, solid, transform).to(device)
    points, normals = scan_boxes(np.concatenate((air, solid)), spacing_m, rng)
    with torch.no_grad():
        unit = torch.as_tensor(transform.to_unit(points), dtype=torch.float32, device=device)
        seen = torch.cat([field(part, 1.0) for part in unit.split(1 << 18)]).abs().cpu().numpy() * half_m < 1e-4
    for scanner in start + 0.5 * ROOM_M * [1.0, 1.0, 0.0]:
        seen &= np.linalg.norm(points - scanner, axis=1) > BLIND_M
    points = points[seen] + rng.normal(0.0, NOISE_M, (int(seen.sum()), 1)) * normals[seen]
    spacing, colors = np.full(len(points), spacing_m, np.float32), rng.integers(0, 256, points.shape).astype(np.uint8)
    corners, ones = (np.asarray(transform.lower), np.asarray(transform.upper)), np.ones_like(spacing)
    unit_points, oriented = transform.to_unit(points), normals[seen].astype(np.float32)
    surface = SurfacePoints(unit_points, oriented, ones, spacing / half_m, ones, *corners)
    mesh = MeshConfig(voxel_size_m=voxel_size_m, min_component_area_m2=25 * spacing_m**2)
    return FittedField(field, PreparedScan(transform, surface, NOISE_M, {}, colors), FitConfig(mesh=mesh))


def scan_boxes(boxes: np.ndarray, spacing_m: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random points (n, 3) on all sides of boxes (b, 2, 3), one per squared spacing, and their normals (n, 3)."""
    points, normals = [], []
    for low, high in boxes:
        for axis, end in np.ndindex(3, 2):
            sides = np.delete(high - low, axis)
            on_side = rng.uniform(low, high, (int(sides.prod() / spacing_m**2), 3))
            on_side[:, axis] = (low, high)[end][axis]
            points.append(on_side)
            normals.append(np.tile(np.eye(3)[axis], (len(on_side), 1)))
    return np.concatenate(points), np.concatenate(normals)


@contextmanager
def timed_stages(device: str, seconds: dict[str, float]) -> Iterator[None]:
    """Within the context, adds the time of each of `STAGES` to ``seconds``; waits for the device before and after."""

    def timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            synchronize(device)
            start = time.perf_counter()
            result = function(*args, **kwargs)
            result = list(result) if stage == "bricks" else result
            synchronize(device)
            seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - start
            return result

        return run

    patches = [mock.patch.object(owner, name, timed(getattr(owner, name), stage)) for owner, name, stage in STAGES]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def main(
    run: Annotated[Path | None, typer.Option(help="Run folder; default: exact rooms.")] = None,
    rooms: int = 1,
    spacing: Annotated[float, typer.Option(help="Point spacing in the scan of the exact rooms, m.")] = 0.02,
    voxel_size: Annotated[
        float | None, typer.Option(help="Voxel size, m; default: 0.01, or the choice of the run.")
    ] = None,
    device: str = "auto",
    repeat: int = 3,
) -> None:
    """Prints a row per stage: the shortest time of all repetitions except the first."""
    device = choose_device(device)
    field = FittedField.load(run, device) if run else make_rooms(rooms, spacing, voxel_size or 0.01, device)
    rows: dict[str, float] = {}
    for repetition in range(repeat + 1):
        seconds: dict[str, float] = {}
        with timed_stages(device, seconds):
            mesh = field.extract_mesh(voxel_size)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write_mesh(mesh, Path(folder) / "mesh.ply")
            seconds["write"] = time.perf_counter() - start
        start = time.perf_counter()
        field.extract_mesh(voxel_size)
        seconds["total without write"] = time.perf_counter() - start
        if repetition:
            rows = {stage: min(rows.get(stage, np.inf), value) for stage, value in seconds.items()}
    table = Rows(None, ("stage", "seconds"), environment(device))
    counts = {"points": len(field.support.points), "vertices": len(mesh.vertices), "faces": len(mesh.faces)}
    peaks = {f"peak GiB, {name}": value for name, value in peak_memory_gib(device).items()}
    stages = {stage: f"{value:.4f}" for stage, value in rows.items()}
    for stage, value in {**stages, **counts, **peaks}.items():
        table.add(stage=stage, seconds=value)


if __name__ == "__main__":
    typer.run(main)
