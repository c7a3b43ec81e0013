# SPDX-License-Identifier: MIT
"""The harness of the benchmarks counts calls, reads its files back, and measures fresh processes."""

import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.shared.harness import Rows, environment, markdown, measure, read_rows
from benchmarks.shared.processes import run_fresh
from benchmarks.speed import step


def test_warm_up_and_calls_are_counted() -> None:
    called: list[int] = []
    timing = measure(lambda: called.append(1), "cpu", warm_up=2, repeats=5, calls=3)
    assert len(called) == 2 + 5 * 3
    assert 0 <= timing.p10 <= timing.median <= timing.p90 and timing.peak_gib > 0


def test_rows_are_written_at_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.csv"
    rows = Rows(path, ("name", "ms", "note"), {**environment("cpu"), "odd": "a: b, c"})
    rows.add(name="x, y", ms=1.5)
    facts, found = read_rows(path)
    assert facts["odd"] == "a: b, c" and facts["torch"] and "device" in facts
    assert found == [{"name": "x, y", "ms": "1.5", "note": ""}] == rows.written
    assert markdown(found).splitlines()[-1] == "| x, y | 1.5 |  |"
    with pytest.raises(ValueError, match="other"):
        rows.add(other=1)


def test_a_fresh_process_is_measured(tmp_path: Path) -> None:
    code = "import sys; a = bytearray(300 << 20); a[::4096] = bytes(300 << 8); print('hello'); sys.exit(3)"
    done = run_fresh([sys.executable, "-c", code], tmp_path / "out.log")
    assert done.code == 3 and done.output == "hello\n"
    assert done.wall_s > 0 and done.cpu_s > 0 and done.peak_gib > 0.28


def test_the_step_benchmark_runs_on_a_cpu(tmp_path: Path) -> None:
    app, out = typer.Typer(), tmp_path / "step.csv"
    app.command()(step.main)
    small = "--points 64 --levels 3 --log2-table-size 10 --base 4 --finest 16 --width 16 --repeats 1 --device cpu"
    parts = ["--part", "spec", "--part", "kernels", "--part", "tcnn", "--part", "tiles"]
    done = CliRunner().invoke(app, [*small.split(), *parts, "--backend", "numba", "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = read_rows(out)[1]
    assert {row["what"] for row in rows} >= {"fwd7", "step7", "fwd1", "step1", "adam of the table"}
    assert all(float(row["median_ms"]) > 0 and not row["note"] for row in rows)
