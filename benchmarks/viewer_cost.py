# SPDX-License-Identifier: MIT
"""What ``fit --view`` costs: times of alternating fits, without it, with it, and with somebody looking on.

    python benchmarks/viewer_cost.py data/room.ply --rounds 3 -o runs/viewer_cost

The onlooker takes in what a browser would be sent, in a process of its own, and draws nothing.
Beside the time of training stands the processor time of the whole fit, which a busy machine disturbs less (Linux).
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import typer

KINDS = ("plain", "view", "view and onlooker")
ONLOOKER = Path(__file__).parent / "onlooker.py"
COMMAND = (sys.executable, "-u", "-c", "from fastsdf.cli import main; main()")


def main() -> None:
    """Runs the fits and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/viewer_cost"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(given.rounds):
        for kind in KINDS:
            taken[kind].append(fit_once(given.scan, given.out / f"{kind.split()[-1]}{number}", kind))
            typer.echo("round {}, {}: training {:.2f} s, processor {:.2f} s".format(number + 1, kind, *taken[kind][-1]))
    usual = means(taken["plain"])
    for kind, rows in taken.items():
        changes = (f"{mean:.2f} s ({mean / base - 1:+.1%})" for mean, base in zip(means(rows), usual, strict=True))
        typer.echo("{:20} training {}, processor {}".format(kind, *changes))


def means(rows: list[tuple[float, float]]) -> list[float]:
    """Mean of each column."""
    return [statistics.mean(column) for column in zip(*rows, strict=True)]


def fit_once(scan: Path, folder: Path, kind: str) -> tuple[float, float]:
    """Seconds that the training of one fit takes, and processor seconds of the fit until its run is complete."""
    viewed = () if kind == "plain" else ("--view", "--port", "0")
    fit = subprocess.Popen([*COMMAND, "fit", str(scan), "-o", str(folder), *viewed], stdout=subprocess.PIPE, text=True)
    assert fit.stdout is not None
    onlooker, processor_s = None, 0.0
    for line in fit.stdout:
        found = re.search(r"http://[^:]+:(\d+)", line)
        if line.startswith("run "):
            processor_s = processor_seconds(fit.pid)
        elif found and processor_s:
            fit.send_signal(signal.SIGINT)
        elif found and kind == KINDS[2]:
            onlooker = subprocess.Popen([sys.executable, str(ONLOOKER), found[1]])
        elif "of training" in line:
            typer.echo(line.strip())
    code = fit.wait()
    if onlooker:
        onlooker.wait()
    assert code == 0, code
    return float(json.loads((folder / "run.json").read_text())["seconds"]["training"]), processor_s


def processor_seconds(pid: int) -> float:
    """Time that all threads of a process have had of processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
