# SPDX-License-Identifier: MIT
"""What ``fit --view`` costs: training times of alternating fits, without it, with it, and with somebody looking on.

    python benchmarks/viewer_cost.py data/room.ply --rounds 3 -o runs/viewer_cost

The onlooker takes in what a browser would be sent, in a process of its own, and draws nothing.
"""

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import time
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
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(given.rounds):
        for kind in KINDS:
            seconds[kind].append(train_once(given.scan, given.out / f"{kind.split()[-1]}{number}", kind))
            typer.echo(f"round {number + 1}, {kind}: {seconds[kind][-1]:.2f} s")
    usual = statistics.mean(seconds["plain"])
    for kind, values in seconds.items():
        mean = statistics.mean(values)
        typer.echo(f"{kind:20} mean {mean:.2f} s, {min(values):.2f} to {max(values):.2f} s, {mean / usual - 1:+.1%}")


def train_once(scan: Path, folder: Path, kind: str) -> float:
    """Seconds that the training of one fit takes."""
    report = folder / "run.json"
    report.unlink(missing_ok=True)
    viewed = () if kind == "plain" else ("--view", "--port", "0")
    fit = subprocess.Popen([*COMMAND, "fit", str(scan), "-o", str(folder), *viewed], stdout=subprocess.PIPE, text=True)
    assert fit.stdout is not None
    onlooker = None
    for line in fit.stdout:
        found = re.search(r"http://[^:]+:(\d+)", line)
        if found and kind == KINDS[2] and onlooker is None:
            onlooker = subprocess.Popen([sys.executable, str(ONLOOKER), found[1]])
        if "of training" in line:
            typer.echo(line.strip())
        if found and report.is_file():
            time.sleep(1)  # the second time: the run is complete
            fit.send_signal(signal.SIGINT)
    code = fit.wait()
    if onlooker:
        onlooker.wait()
    assert code == 0, code
    return float(json.loads(report.read_text())["seconds"]["training"])


if __name__ == "__main__":
    main()
