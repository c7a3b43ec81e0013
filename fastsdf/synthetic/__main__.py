# SPDX-License-Identifier: MIT
"""``python -m fastsdf.synthetic --out data``: writes the example scan and its ground truth."""

import argparse
import sys
from pathlib import Path

from fastsdf.synthetic.bundle import write_bundle


def main() -> None:
    """Parses the command line and writes the files."""
    parser = argparse.ArgumentParser(prog="python -m fastsdf.synthetic", description="Write the example room.")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder for room.ply, room_gt.ply, README.md")
    for path in write_bundle(parser.parse_args().out):
        sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
