# SPDX-License-Identifier: MIT
"""Shared by all benchmarks: timing on a device, information about the machine, and CSV files.

A CSV file starts with comment lines ``# name: value`` about the machine. It is written row by row, so an interrupted
benchmark keeps the rows measured so far.
"""

import csv
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from fastsdf.system.device import describe_device
from fastsdf.system.memory import peak_memory_gib

PACKAGES = ("torch", "triton", "numba", "numpy", "open3d", "pymeshlab", "tinycudann", "fastsdf")


@dataclass(frozen=True)
class Timing:
    """Milliseconds per call over all repetitions, and the peak memory during them.

    Attributes:
        median, p10, p90: median, 10th and 90th percentile, milliseconds.
        peak_gib: peak of the allocated device memory on CUDA, otherwise of the resident memory since the start, GiB.
    """

    median: float
    p10: float
    p90: float
    peak_gib: float

    def row(self) -> dict[str, str]:
        """The cells of a CSV row, by the names in `TIMING_COLUMNS`."""
        return {
            "median_ms": f"{self.median:.4f}",
            "p10_ms": f"{self.p10:.4f}",
            "p90_ms": f"{self.p90:.4f}",
            "peak_gib": f"{self.peak_gib:.3f}",
        }


TIMING_COLUMNS = tuple(Timing(0.0, 0.0, 0.0, 0.0).row())


def measure(function: Callable[[], Any], device: str, warm_up: int = 5, repeats: int = 20, calls: int = 1) -> Timing:
    """Times a function, with CUDA events on a GPU and with the clock of the host elsewhere.

    Args:
        function: the function to time; it must not wait for the device itself.
        device: torch device that the function uses.
        warm_up: number of calls before the timing starts (for compilation, memory and caches).
        repeats: number of timings.
        calls: calls per timing. With one call, the result includes the time that the host needs for launching kernels,
            if that is longer than the work of the device. With several calls, launches overlap the previous call.
    """
    for _ in range(warm_up):
        function()
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    clock = _event_ms if on_gpu else _host_ms
    times = np.array([clock(function, calls) for _ in range(repeats)]) / calls
    median, p10, p90 = np.quantile(times, [0.5, 0.1, 0.9]).tolist()
    return Timing(median, p10, p90, peak_gib(device))


def _event_ms(function: Callable[[], Any], calls: int) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def _host_ms(function: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return 1e3 * (time.perf_counter() - start)


def peak_gib(device: str) -> float:
    """Peak of the allocated memory on a CUDA device, otherwise of the resident memory of this process, GiB."""
    peak = peak_memory_gib(device)
    return peak.get("device", peak["host"])


def environment(device: str) -> dict[str, str]:
    """What a reader needs to know about the machine: device, processor, load, versions and commit."""
    facts = {
        "device": describe_device(device),
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "",
        "python": platform.python_version(),
        "cuda": str(torch.version.cuda or ""),
        "commit": _commit(),
    }
    for name in PACKAGES:
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return facts


def _cpu_model() -> str:
    """Name of the processor from /proc/cpuinfo, or the machine type if that is unknown."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] != "unknown" else platform.machine()


def _commit() -> str:
    """The commit of this checkout; empty if this is not a git checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


class Rows:
    """A CSV file that is written row by row; rows written to a file are also printed.

    Args:
        path: the file, or None for standard output.
        columns: column names; a row may leave cells empty.
        facts: names and values for the comment lines above the header.
    """

    def __init__(self, path: Path | None, columns: Sequence[str], facts: Mapping[str, str] | None = None):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = sys.stdout if path is None else open(path, "w", newline="")  # noqa: SIM115
        self._echo = path is not None
        self._columns = columns
        self.written: list[dict[str, str]] = []
        for name, value in (facts or {}).items():
            self._stream.write(f"# {name}: {value}\n")
        csv.writer(self._stream).writerow(columns)
        self._stream.flush()

    def add(self, **cells: object) -> None:
        """Writes one row and flushes it.

        Raises:
            ValueError: a cell belongs to no column.
        """
        unknown = set(cells) - set(self._columns)
        if unknown:
            raise ValueError(f"unknown columns {sorted(unknown)}; the columns are {list(self._columns)}")
        row = {name: str(cells.get(name, "")) for name in self._columns}
        csv.writer(self._stream).writerow(row.values())
        self._stream.flush()
        self.written.append(row)
        if self._echo:
            print(*(value for value in row.values() if value), sep="  ", flush=True)  # noqa: T201


def read_rows(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The comment lines and the rows of a file written by `Rows`."""
    lines = path.read_text().splitlines()
    comments = [line[2:].partition(": ") for line in lines if line.startswith("# ")]
    rows = csv.DictReader(line for line in lines if line and not line.startswith("# "))
    return {name: value for name, _, value in comments}, [dict(row) for row in rows]


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Formats rows with the same columns as a Markdown table."""
    columns = list(rows[0]) if rows else []
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(row[c]) for c in columns) + " |" for row in rows])
