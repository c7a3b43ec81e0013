# SPDX-License-Identifier: MIT
"""Console output: the console itself, the progress bar of training, and tables of results."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from fastsdf.system.format_value import format_value

if TYPE_CHECKING:
    from fastsdf.training import loop as training_loop

MIN_FULL_WIDTH = 120  # columns; the full progress line needs about that many


def make_console(stderr: bool = False) -> Console:
    """Makes a console on stdout or stderr that prints text unchanged: file names may contain markup characters."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def print_table(console: Console, title: str, rows: Iterable[tuple[str, Any, str]]) -> None:
    """Prints a table of (name, value, unit); floats with four significant digits."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", overflow="fold")
    table.add_column(style="dim")
    for name, value, unit in rows:
        table.add_row(name, format_value(value), unit)
    console.print(table)


@contextmanager
def training_bar(console: Console, half_extent_m: float) -> Iterator[Callable[["training_loop.Progress"], None]]:
    """Shows the progress bar of a training loop; yields the callback that updates it.

    Args:
        console: where to draw it; a narrow console gets a shorter line.
        half_extent_m: half the edge of the scene's box, which converts scene units to metres.
    """
    wide = console.width >= MIN_FULL_WIDTH
    columns = (
        TextColumn("training"),
        BarColumn(bar_width=24 if wide else 14),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None)

        def update(progress: "training_loop.Progress") -> None:
            text = describe_progress(progress, half_extent_m, wide)
            bar.update(task, completed=progress.step, total=progress.total, description=text)

        yield update


def describe_progress(progress: "training_loop.Progress", half_extent_m: float, wide: bool = True) -> str:
    """Returns the progress line: mean |u| on the scan in mm, eikonal residual, active grid levels.

    Args:
        progress: state of the training loop.
        half_extent_m: half the edge of the scene's box, which converts scene units to metres.
        wide: also show the loss between surfaces, the viscosity and the finite-difference step.
    """
    terms, settings, mm = progress.terms, progress.settings, 1e3 * half_extent_m  # mm: millimetres per scene unit
    parts = [f"|u| {terms['surface'] * mm:.2f} mm", f"eik {terms['eikonal_off_surface']:.3f}"]
    if wide:
        parts += [f"inter {terms['inter']:.3f}", f"eps {settings.viscosity * mm:.1f} mm"]
        parts += [f"h {settings.step_size * mm:.1f} mm"]
    return "  ".join([*parts, f"levels {settings.active_levels:.1f}"])
