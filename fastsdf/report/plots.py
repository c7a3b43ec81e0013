# SPDX-License-Identifier: MIT
"""The charts of a report, as PNG files; lengths come in world units (metres) and are drawn in millimetres or metres."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastsdf.rendering.sections import Section
from fastsdf.report.figures import Axes, Figure, chart
from fastsdf.training.losses import TERMS

LENGTHS = ("surface", "near")
LABELS = {
    "surface": "|u| on the points",
    "near": "|u - d| near them",
    "inter": "inter",
    "eikonal_off_surface": "eikonal, off the surface",
    "eikonal_surface": "eikonal, on the points",
    "normal": "1 - cos of the normals",
}
CONTOURS = 12
HISTOGRAM_BINS = 80
SHOWN_QUANTILE = 0.99
SMALLEST_SCALE_M = 1e-9
MARK = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8}

History = Sequence[Mapping[str, Any]]


def field_chart(section: Section) -> bytes:
    """A section of the field: distances in colour (blue solid, red air), the surface as a black line.

    The colours end at the largest distance in the air: deep in solid the field says little.
    """
    extreme = max(float(section.values.max()), SMALLEST_SCALE_M)
    levels = np.linspace(-extreme, extreme, 2 * CONTOURS + 1)

    def paint(figure: Figure, axes: Axes) -> None:
        grid = section.across, section.along, section.values
        filled = axes.contourf(*grid, levels=levels, cmap="RdBu_r", extend="both")
        axes.contour(*grid, levels=[0.0], colors="black", linewidths=1.0)
        figure.colorbar(filled, ax=axes, label="u [m]", shrink=0.85, format="%.2f")
        _label_plane(axes, section)

    return chart(paint, _size(section))


def map_chart(section: Section, label: str, limits: tuple[float, float], places: np.ndarray | None = None) -> bytes:
    """A map of values from above; ``limits`` are the ends of the colour scale, places (k, 3) are marked 1 to k."""

    def paint(figure: Figure, axes: Axes) -> None:
        mesh = axes.pcolormesh(section.across, section.along, section.values, vmin=limits[0], vmax=limits[1])
        figure.colorbar(mesh, ax=axes, label=label, shrink=0.85)
        for number, place in enumerate(() if places is None else places, 1):
            axes.annotate(str(number), place[:2], bbox=MARK, fontsize=8, ha="center", va="center")
        _label_plane(axes, section)

    return chart(paint, _size(section))


def residual_histogram(residuals_mm: np.ndarray) -> bytes:
    """How many scan points have which |u| (n,), in millimetres; the last hundredth is left out."""
    shown = max(float(np.quantile(residuals_mm, SHOWN_QUANTILE)), 1e-6)
    median, mean = float(np.median(residuals_mm)), float(residuals_mm.mean())

    def paint(_: Figure, axes: Axes) -> None:
        axes.hist(residuals_mm, bins=HISTOGRAM_BINS, range=(0, shown), color="#3b528b")
        axes.axvline(median, color="black", linewidth=1, label=f"median {median:.2f} mm")
        axes.axvline(mean, color="black", linewidth=1, linestyle="--", label=f"mean {mean:.2f} mm")
        axes.set(xlabel="|u| [mm]", ylabel="scan points", xlim=(0, shown))
        axes.legend(frameon=False)

    return chart(paint)


def error_histogram(
    distance_mm: np.ndarray,
    reach_mm: float,
    limits_mm: Sequence[float],
    colors: Callable[[np.ndarray], np.ndarray],
) -> bytes:
    """Shares of distances (n,) on a logarithmic axis; those beyond ``reach_mm`` are in the last bar.

    Args:
        distance_mm: all distances, millimetres.
        reach_mm: end of the scale.
        limits_mm: marked by lines.
        colors: (k, 3) colours of shares (k,) of the scale.
    """
    width = reach_mm / HISTOGRAM_BINS
    number = np.minimum(distance_mm / width, HISTOGRAM_BINS).astype(int)
    share = 100 * np.bincount(number, minlength=HISTOGRAM_BINS + 1) / len(distance_mm)
    middle = (np.arange(HISTOGRAM_BINS + 1) + 0.5) * width

    def paint(_: Figure, axes: Axes) -> None:
        axes.bar(middle, share, width, color=colors(np.minimum(middle / reach_mm, 1.0)))
        for limit in limits_mm:
            axes.axvline(limit, color="black", linewidth=0.8, linestyle=":")
        axes.set(xlabel="distance [mm]", ylabel="samples [%]", yscale="log", xlim=(0, reach_mm + width))

    return chart(paint)


def distance_losses(history: History, half_extent_m: float) -> bytes:
    """The loss terms that are distances, in millimetres, over the steps."""

    def paint(_: Figure, axes: Axes) -> None:
        for name in LENGTHS:
            _curve(axes, history, name, 1e3 * half_extent_m, LABELS[name])
        _finish(axes, "mean distance [mm]")

    return chart(paint)


def other_losses(history: History) -> bytes:
    """The loss terms without a unit, unweighted, over the steps."""

    def paint(_: Figure, axes: Axes) -> None:
        for name in TERMS:
            if name not in LENGTHS:
                _curve(axes, history, name, 1.0, LABELS[name])
        _finish(axes, "mean, unweighted")

    return chart(paint)


def schedules(history: History, half_extent_m: float) -> bytes:
    """Viscosity and step size in millimetres over the steps; gaps where the viscosity is 0."""

    def paint(_: Figure, axes: Axes) -> None:
        _curve(axes, history, "viscosity", 1e3 * half_extent_m, "viscosity")
        _curve(axes, history, "step_size", 1e3 * half_extent_m, "step size h", linestyle="--")
        _finish(axes, "length [mm]")

    return chart(paint)


def learning_rates(history: History, rates: Mapping[str, float]) -> bytes:
    """The learning rates over the steps, from those at the start by name."""

    def paint(_: Figure, axes: Axes) -> None:
        for name, rate in rates.items():
            _curve(axes, history, "rate_factor", rate, name)
        _finish(axes, "learning rate")

    return chart(paint)


def _curve(axes: Axes, history: History, name: str, scale: float, label: str, **style: Any) -> None:
    """One reading of the history over the steps; a reading that is 0 throughout is left out."""
    values = np.array([scale * row.get(name, 0.0) for row in history])
    if values.any():
        values[values == 0] = np.nan
        axes.plot([row["step"] for row in history], values, label=label, marker=".", markersize=3, **style)


def _finish(axes: Axes, label: str) -> None:
    axes.set(xlabel="step", ylabel=label, yscale="log")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)


def _label_plane(axes: Axes, section: Section) -> None:
    across, along = section.names
    axes.set(xlabel=f"{across} [m]", ylabel=f"{along} [m]", title=section.plane, aspect="equal")


def _size(section: Section) -> tuple[float, float]:
    """Width and height in inches that suit a section's shape."""
    return 5.0, min(max(3.9 * np.ptp(section.along) / max(np.ptp(section.across), 1e-9) + 0.7, 2.0), 6.4)
