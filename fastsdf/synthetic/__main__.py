# SPDX-License-Identifier: MIT
"""``python -m fastsdf.synthetic --out data``: writes the example scan or another scene, with its ground truth."""

import argparse
import sys
from pathlib import Path

from fastsdf.synthetic.bundle import write_bundle
from fastsdf.synthetic.cases import SCENES, CaseSettings, make_case, write_case


def main() -> None:
    """Parse the command line and write the files."""
    description = "Write a synthetic scan with its ground truth. All options after --scene need --scene."
    parser = argparse.ArgumentParser(prog="python -m fastsdf.synthetic", description=description)
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder for the files")
    parser.add_argument("--scene", choices=list(SCENES), help="scene to scan; without it, the example room is written")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--points", type=int, default=300_000, help="number of points")
    parser.add_argument("--noise-mm", type=float, default=3.0, help="standard deviation of the range, millimetres")
    parser.add_argument("--outliers", type=float, default=0.02, help="share of wrong ranges, 0 to 1")
    parser.add_argument("--stations", type=int, help="sensor positions per room, landing or 6 m of corridor")
    parser.add_argument("--missing", type=int, default=0, help="number of regions of 15 to 40 cm without points")
    given = parser.parse_args()
    for path in write_bundle(given.out) if given.scene is None else _write_scene(given):
        sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")


def _write_scene(given: argparse.Namespace) -> list[Path]:
    settings = CaseSettings(
        scene=given.scene,
        seed=given.seed,
        points=given.points,
        range_noise_m=given.noise_mm / 1e3,
        outliers=given.outliers,
        stations=given.stations,
        missing=given.missing,
    )
    return write_case(make_case(settings), given.out)


if __name__ == "__main__":
    main()
