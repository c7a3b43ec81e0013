# SPDX-License-Identifier: MIT
"""Draws the charts of a report as PNG files; lengths are given in metres and drawn in millimetres or metres."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastsdf.rendering.sections import Section
from fastsdf.report.figures import Axes, Figure, chart
from fastsdf.training.losses import TERMS

DISTANCE_TERMS = ("surface", "near")  # loss terms that are lengths; they are drawn in millimetres
LABELS = {  # loss term -> label in the legend
    "surface": "|u| on the points",
    "near": "|u - d| near the points",
    "inter": "inter",
    "eikonal_off_surface": "eikonal, off the surface",
    "eikonal_surface": "eikonal, on the points",
    "normal": "1 - cos of the normals",
}
CONTOURS = 12  # colour steps from 0 to either end of the scale; chosen by eye
HISTOGRAM_BINS = 80  # chosen by eye
SHOWN_QUANTILE = 0.99  # of the residuals, at which the histogram ends; chosen: outliers do not stretch the axis
MIN_SCALE_M = 1e-9  # guards against a colour scale of zero length
# Of numbered viewpoints in a section; chosen by eye.
MARK = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8}

History = Sequence[Mapping[str, Any]]


def field_chart(section: Section) -> bytes:
    """Chart a section of the field: distances in colour (blue in solids, red in the air), the surface in black.

    The colour scale ends at the largest distance in the air, because the values deep inside solids are unreliable.
    """
    limit = max(float(section.values.max()), MIN_SCALE_M)
    levels = np.linspace(-limit, limit, 2 * CONTOURS + 1)

    def paint(figure: Figure, axes: Axes) -> None:
        grid = section.across, section.along, section.values
        filled = axes.contourf(*grid, levels=levels, cmap="RdBu_r", extend="both")
        axes.contour(*grid, levels=[0.0], colors="black", linewidths=1.0)
        figure.colorbar(filled, ax=axes, label="u [m]", shrink=0.85, format="%.2f")
        _label_plane(axes, section)

    return chart(paint, _size(section))


def map_chart(section: Section, label: str, limits: tuple[float, float], marks: np.ndarray | None = None) -> bytes:
    """Chart a map of values seen from above.

    Args:
        section: the map.
        label: label of the colour bar.
        limits: values at the two ends of the colour scale.
        marks: (k, 3) positions to be marked with the numbers 1 to k.
    """

    def paint(figure: Figure, axes: Axes) -> None:
        mesh = axes.pcolormesh(section.across, section.along, section.values, vmin=limits[0], vmax=limits[1])
        figure.colorbar(mesh, ax=axes, label=label, shrink=0.85)
        for number, position in enumerate(() if marks is None else marks, 1):
            axes.annotate(str(number), position[:2], bbox=MARK, fontsize=8, ha="center", va="center")
        _label_plane(axes, section)

    return chart(paint, _size(section))


def residual_histogram(residuals_mm: np.ndarray) -> bytes:
    """Histogram of |u| at the scan points (n,), millimetres, without the largest 1%."""
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
    scale_end_mm: float,
    limits_mm: Sequence[float],
    colors: Callable[[np.ndarray], np.ndarray],
) -> bytes:
    """Histogram of distances with a logarithmic axis; the last bar holds all distances beyond the scale.

    Args:
        distance_mm: (n,) distances, millimetres.
        scale_end_mm: end of the colour scale, millimetres.
        limits_mm: distances marked by lines, millimetres.
        colors: maps positions (k,) on the colour scale, 0 to 1, to colours (k, 3).
    """
    width = scale_end_mm / HISTOGRAM_BINS
    number = np.minimum(distance_mm / width, HISTOGRAM_BINS).astype(int)
    share = 100 * np.bincount(number, minlength=HISTOGRAM_BINS + 1) / len(distance_mm)
    center = (np.arange(HISTOGRAM_BINS + 1) + 0.5) * width

    def paint(_: Figure, axes: Axes) -> None:
        axes.bar(center, share, width, color=colors(np.minimum(center / scale_end_mm, 1.0)))
        for limit in limits_mm:
            axes.axvline(limit, color="black", linewidth=0.8, linestyle=":")
        axes.set(xlabel="distance [mm]", ylabel="samples [%]", yscale="log", xlim=(0, scale_end_mm + width))

    return chart(paint)


def distance_losses(history: History, half_extent_m: float) -> bytes:
    """Chart the loss terms that are distances, in millimetres, over the steps."""

    def paint(_: Figure, axes: Axes) -> None:
        for name in DISTANCE_TERMS:
            _curve(axes, history, name, 1e3 * half_extent_m, LABELS[name])
        _finish(axes, "mean distance [mm]")

    return chart(paint)


def other_losses(history: History) -> bytes:
    """Chart the dimensionless loss terms, unweighted, over the steps."""

    def paint(_: Figure, axes: Axes) -> None:
        for name in TERMS:
            if name not in DISTANCE_TERMS:
                _curve(axes, history, name, 1.0, LABELS[name])
        _finish(axes, "mean, unweighted")

    return chart(paint)


def schedules(history: History, half_extent_m: float) -> bytes:
    """Chart viscosity and step size in millimetres over the steps; the curve has gaps where the viscosity is 0."""

    def paint(_: Figure, axes: Axes) -> None:
        _curve(axes, history, "viscosity", 1e3 * half_extent_m, "viscosity")
        _curve(axes, history, "step_size", 1e3 * half_extent_m, "step size h", linestyle="--")
        _finish(axes, "length [mm]")

    return chart(paint)


def learning_rates(history: History, rates: Mapping[str, float]) -> bytes:
    """Chart the learning rates over the steps; ``rates`` maps each name to its initial learning rate."""

    def paint(_: Figure, axes: Axes) -> None:
        for name, rate in rates.items():
            _curve(axes, history, "rate_factor", rate, name)
        _finish(axes, "learning rate")

    return chart(paint)


def _curve(axes: Axes, history: History, name: str, scale: float, label: str, **style: Any) -> None:
    """Draw one value of the history over the steps, unless it is always 0."""
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
    """Width and height of a chart, in inches, that fit the shape of a section."""
    return 5.0, min(max(3.9 * np.ptp(section.along) / max(np.ptp(section.across), 1e-9) + 0.7, 2.0), 6.4)
