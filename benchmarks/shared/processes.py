# SPDX-License-Identifier: MIT
"""Runs programs in fresh processes, measures their time and memory, and scores the meshes that they write."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def _at(name: str, limit_m: float) -> Callable[[dict[str, Any]], float | None]:
    return lambda report: report[name] and report[name][report["thresholds"].index(limit_m)]


def _value(name: str, factor: float = 1.0) -> Callable[[dict[str, Any]], float | None]:
    return lambda report: None if report[name] is None else factor * report[name]


METRICS = {  # label in tables: how to read the value from the report of `fastsdf eval --json`
    "CD mm": _value("chamfer_l1", 1e3),
    "F1cm": _at("f_score", 0.01),
    "F2.5cm": _at("f_score", 0.025),
    "NC": _value("normal_consistency"),
    "signed NC": _value("normal_consistency_signed"),
    "thin": _at("thin_recall", 0.01),
    "flat deg": _value("flat_angle_deg"),
    "flat mm": _value("flat_rms", 1e3),
    "hallucinated %": _value("hallucinated_share", 100),
    "accuracy mm": _value("accuracy", 1e3),
    "completeness mm": _value("completeness", 1e3),
    "components": _value("components"),
}
SCORES = ("CD mm", "F1cm", "F2.5cm", "NC", "hallucinated %", "accuracy mm", "completeness mm")


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        code: exit status; -9 if the process was killed at its time limit.
        wall_s: seconds from start to end, imports included.
        cpu_s: processor time in user and system mode, seconds.
        peak_gib: peak resident memory, GiB; never below the memory of the process that started it.
        output: text printed to stdout and stderr.
    """

    code: int
    wall_s: float
    cpu_s: float
    peak_gib: float
    output: str


def run_fresh(command: Sequence[object], log: Path, limit_s: float | None = None) -> Finished:
    """Runs a command until it ends or ``limit_s`` seconds have passed, and writes its output to the file ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with open(log, "w") as stream:
        process = subprocess.Popen([str(part) for part in command], stdout=stream, stderr=subprocess.STDOUT)
        alarm = threading.Timer(limit_s or 0.0, process.kill)
        if limit_s is not None:
            alarm.start()
        _, status, used = os.wait4(process.pid, 0)
        alarm.cancel()
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    cpu = used.ru_utime + used.ru_stime
    return Finished(process.returncode, wall, cpu, used.ru_maxrss * unit / 2**30, log.read_text(errors="replace"))


def fastsdf(*arguments: object) -> list[str]:
    """A command line that runs fastsdf with this Python."""
    return [sys.executable, "-m", "fastsdf", *map(str, arguments)]


def evaluated(mesh: Path, reference: Path, observed: Path | None, out: Path) -> dict[str, Any]:
    """The report of ``fastsdf eval`` for a mesh; it is stored in the JSON file ``out`` and computed only once."""
    if not out.is_file():
        recall = ("--observed", observed) if observed else ()
        command = fastsdf("eval", mesh, "--reference", reference, *recall, "--json", out)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(out.read_text())


def score(mesh: Path, reference: Path, observed: Path | None, out: Path) -> dict[str, float | None]:
    """The metrics in `SCORES`, from the report of `evaluated`."""
    report = evaluated(mesh, reference, observed, out)
    return {name: METRICS[name](report) for name in SCORES}
