# SPDX-License-Identifier: MIT
"""Measures what ``fit --view`` costs, in one training whose blocks of steps alternate between three modes.

    OMP_WAIT_POLICY=PASSIVE python -m benchmarks.speed.viewer_cost data/room.ply

The modes are ``plain`` (no viewer), ``alone`` (a viewer without a client) and ``viewed`` (a viewer with a client in
another process, which receives everything that a browser would but draws nothing). The output is the wall time and the
CPU time of all threads of this process, per step. Other programs on the machine disturb the CPU time less. The order of
the modes changes in every round.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import typer

from fastsdf.config.loading import load_config
from fastsdf.io import read_point_cloud
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training.loop import Progress, train
from fastsdf.training.session import Session, start_fit
from fastsdf.viewer.growing import GrowingSurface
from fastsdf.viewer.server import close_server, open_server

MODES = ("plain", "alone", "viewed")
TIMEOUT_S = 20.0  # seconds for a client to connect or disconnect; chosen: a process starts within a few seconds


class Block(NamedTuple):
    """Wall time and CPU time per step of a block, milliseconds."""

    wall_ms: float
    processor_ms: float


def main() -> None:
    """Train in blocks and print the times of every block and their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--block", type=int, default=100, help="steps per block")
    parser.add_argument("--rounds", type=int, default=6, help="blocks per mode; at most as many as the training has")
    given = parser.parse_args()
    config = load_config()
    session = start_fit(prepare_scan(read_point_cloud(given.scan), config), config)
    server = open_server("127.0.0.1", 0)
    grow = GrowingSurface(server, session)
    blocks: dict[str, list[Block]] = {mode: [] for mode in MODES}
    assert session.config.training.steps is not None
    rounds = min(given.rounds, session.config.training.steps // (given.block * len(MODES)))
    for number in range(rounds):
        for mode in (*MODES[number % 3 :], *MODES[: number % 3]):
            blocks[mode].append(run_block(session, grow, server, mode, given.block))
            typer.echo("{:10} {:.2f} ms, CPU {:.2f} ms".format(mode, *blocks[mode][-1]))
    report(blocks, grow, rounds * given.block)
    close_server(server)


def run_block(session: Session, grow: GrowingSurface, server: object, mode: str, steps: int) -> Block:
    """Run the next steps of a training in one mode and time them."""
    client = start_client(server) if mode == MODES[2] else None
    state, end = session.state, session.state.step + steps

    def ignore(_: Progress) -> None:
        pass

    began, worked = time.monotonic(), time.process_time()
    callback = ignore if mode == MODES[0] else grow
    train(state, session.config, callback, lambda _: None, lambda: state.step >= end)
    wall, processor = time.monotonic() - began, time.process_time() - worked
    taken = steps + state.step - end
    if client:
        client.terminate()
        client.wait()
        wait_until(lambda: not server.get_clients())  # type: ignore
    return Block(1e3 * wall / taken, 1e3 * processor / taken)


def start_client(server: object) -> subprocess.Popen[bytes]:
    """Start a client process and wait until it is connected."""
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.speed.headless_viewer_client", str(server.get_port())])  # type: ignore
    wait_until(server.get_clients)  # type: ignore
    return child


def wait_until(done: object) -> None:
    """Wait until a function returns a true value, at most `TIMEOUT_S` seconds."""
    until = time.monotonic() + TIMEOUT_S
    while not done() and time.monotonic() < until:  # type: ignore
        time.sleep(0.05)


def report(blocks: dict[str, list[Block]], grow: GrowingSurface, steps: int) -> None:
    """Print the mean times of every mode, relative to the mode without a viewer, and the time spent on previews."""
    for mode, rows in blocks.items():
        wall, processor = (statistics.mean(column) for column in zip(*rows, strict=True))
        base = [statistics.mean(column) for column in zip(*blocks[MODES[0]], strict=True)]
        typer.echo(
            f"{mode:10} {len(rows)} blocks, per step: {wall:.2f} ms ({wall / base[0] - 1:+.1%}), "
            f"CPU {processor:.2f} ms ({processor / base[1] - 1:+.1%})"
        )
    viewed_s = 1e-3 * steps * statistics.mean(row.wall_ms for row in blocks[MODES[2]])
    typer.echo(f"{grow.pictures} previews, {grow.seconds:.2f} s of {viewed_s:.1f} s viewed")


if __name__ == "__main__":
    main()
