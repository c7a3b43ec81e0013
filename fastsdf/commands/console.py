# SPDX-License-Identifier: MIT
"""What a person sees: one console, a progress bar, tables of results, one line per error."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from fastsdf.system.format_value import format_value

if TYPE_CHECKING:
    from fastsdf.training import loop as training_loop

WIDE = 120  # columns that the whole progress line takes


def make_console(stderr: bool = False) -> Console:
    """A console on stdout or stderr that prints text as it is: file names may hold brackets and colons."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def print_table(console: Console, title: str, rows: Iterable[tuple[str, Any, str]]) -> None:
    """Prints rows of (name, value, unit); floats with four significant digits."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", overflow="fold")
    table.add_column(style="dim")
    for name, value, unit in rows:
        table.add_row(name, format_value(value), unit)
    console.print(table)


@contextmanager
def training_bar(console: Console, half_extent_m: float) -> Iterator[Callable[["training_loop.Progress"], None]]:
    """A progress bar of a training loop, shorter on narrow consoles; yields the callback that moves it."""
    wide = console.width >= WIDE
    columns = (
        TextColumn("training"),
        BarColumn(bar_width=24 if wide else 14),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None)

        def move(progress: "training_loop.Progress") -> None:
            text = describe_progress(progress, half_extent_m, wide)
            bar.update(task, completed=progress.step, total=progress.total, description=text)

        yield move


def describe_progress(progress: "training_loop.Progress", half_extent_m: float, wide: bool = True) -> str:
    """One line: data residual and lengths in millimetres of the scene, eikonal residual, levels.

    Args:
        progress: of the training loop.
        half_extent_m: of the scene.
        wide: with the term between surfaces, viscosity and step size.
    """
    terms, settings, mm = progress.terms, progress.settings, 1e3 * half_extent_m
    parts = [f"|u| {terms['surface'] * mm:.2f} mm", f"eik {terms['eikonal_off_surface']:.3f}"]
    if wide:
        parts += [f"inter {terms['inter']:.3f}", f"eps {settings.viscosity * mm:.1f} mm"]
        parts += [f"h {settings.step_size * mm:.1f} mm"]
    return "  ".join([*parts, f"levels {settings.active_levels:.1f}"])
