# SPDX-License-Identifier: MIT
"""Generates the small example scan that is shipped with the project, from a fixed seed."""

from pathlib import Path

from fastsdf.geometry import PointCloud
from fastsdf.io import write_mesh, write_point_cloud
from fastsdf.synthetic.room import Scene, furnished_room
from fastsdf.synthetic.scanner import scan, visible_samples

# The settings of the shipped files; changing one means writing data/ again.
ROOM_SEED = 3
SCAN_POINTS = 100_000  # chosen: keeps every file below 3 MB
RANGE_NOISE_M = 0.003  # standard deviation; chosen: typical of a terrestrial laser scanner
OUTLIERS = 0.005  # share of the rays; chosen, as in the default of `scan`
VISIBLE_SAMPLES = 60_000  # chosen: keeps every file below 3 MB

_README = """# data

A synthetic furnished room with its exact surface, made by this project (licence MIT, as the code).

| file | content |
|---|---|
| `room.ply` | scan: {points:,} points, float32 `x y z` and `sx sy sz` (position of the sensor) |
| `room_gt.ply` | exact ground truth: {faces:,} triangles, closed solids (a soup), normals point into the air |
| `room_visible.ply` | {visible:,} area-uniform samples, with normals, of the surface that some sensor can see |

This command writes them again, byte for byte on the same kind of machine:

    python -m fastsdf.synthetic --out data

Metres, z up. Room seed {seed}, inner size 4.2 x 3.6 x 2.6 m; scan seed {seed}.
Gaussian range noise of {noise_mm:g} mm (1 sigma), {outliers:.1%} outliers (any range up to 1.3 times the true one),
and mixed pixels (points between the two depths) at 3 in 10 depth edges of more than 5 cm.

Sensor positions:

{stations}
"""


def bundled_room() -> tuple[Scene, PointCloud]:
    """The room in ``data/`` and its scan (100,000 points with sensor positions), float64, metres."""
    scene = furnished_room(ROOM_SEED)
    cloud = scan(scene, points=SCAN_POINTS, range_noise_m=RANGE_NOISE_M, outliers=OUTLIERS, seed=ROOM_SEED)
    return scene, cloud


def write_bundle(folder: Path) -> list[Path]:
    """Write room.ply, room_gt.ply, room_visible.ply and README.md.

    Args:
        folder: folder for the files; it is created if it does not exist.

    Returns:
        The paths of the files.

    Raises:
        InputError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene, cloud = bundled_room()
    paths = [folder / name for name in ("room.ply", "room_gt.ply", "room_visible.ply", "README.md")]
    write_point_cloud(cloud, paths[0])
    write_mesh(scene.mesh, paths[1])
    visible = visible_samples(scene, VISIBLE_SAMPLES, seed=ROOM_SEED)
    write_point_cloud(PointCloud(visible[:, :3], visible[:, 3:]), paths[2])
    stations = "\n".join("- ({:g}, {:g}, {:g})".format(*s) for s in scene.stations)
    text = _README.format(
        points=len(cloud),
        faces=len(scene.mesh.faces),
        visible=VISIBLE_SAMPLES,
        seed=ROOM_SEED,
        noise_mm=1e3 * RANGE_NOISE_M,
        outliers=OUTLIERS,
        stations=stations,
    )
    paths[3].write_text(text, encoding="utf-8", newline="\n")
    return paths
