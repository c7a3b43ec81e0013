# SPDX-License-Identifier: MIT
"""Colours of meshes and scans in the viewer, with their legends."""

from typing import NamedTuple

import numpy as np

from fastsdf.numerics.colormap import VIRIDIS, interpolate_colors
from fastsdf.rendering.pictures import GAMMA

# uint8 sRGB, chosen by eye
GREY, POINT_COLOR = (170, 170, 170), (70, 84, 110)
MEASURED_COLOR, INFERRED_COLOR = (94, 160, 110), (226, 120, 50)
TRAINING_COLOR, HELD_OUT_COLOR = (150, 160, 175), (220, 40, 90)


class Coloring(NamedTuple):
    """Colours with their legend.

    Attributes:
        colors: (n, 3) uint8 sRGB.
        legend: HTML for the panel; may be empty.
    """

    colors: np.ndarray
    legend: str = ""


def scale_colors(values: np.ndarray, limit: float) -> np.ndarray:
    """Colours (n, 3) uint8 of values (n,): dark violet at 0, yellow from ``limit`` on, grey for NaN."""
    known = np.isfinite(values)[:, None]
    return np.where(known, np.rint(interpolate_colors(values / limit, VIRIDIS)), GREY).astype(np.uint8)


def by_normal(normals: np.ndarray) -> np.ndarray:
    """Light colours (n, 3) uint8 of unit normals (n, 3), as in the report."""
    return np.rint(255 * (0.72 + 0.22 * normals) ** (1 / GAMMA)).astype(np.uint8)


def by_confidence(values: np.ndarray) -> Coloring:
    """Colours of the attribute ``confidence`` (n,), in [0, 1]."""
    legend = scale_legend("0", "1", "how likely the scan shows real surface there")
    return Coloring(scale_colors(values, 1.0), legend)


def by_measured(values: np.ndarray) -> Coloring:
    """Two colours for the attribute ``measured`` (n,), 0 or 1."""
    colors = np.where(values[:, None] > 0, MEASURED_COLOR, INFERRED_COLOR).astype(np.uint8)
    return Coloring(colors, key_legend((MEASURED_COLOR, "measured"), (INFERRED_COLOR, "bridges a gap")))


def by_distance(distances_m: np.ndarray, limit_m: float) -> Coloring:
    """Colours of distances (n,) in metres up to a limit; NaN where a distance is unknown."""
    meaning = "mean distance of the scan's points from the surface; grey: no points nearby"
    return Coloring(scale_colors(distances_m, limit_m), scale_legend("0", f"{1e3 * limit_m:.3g} mm", meaning))


def by_held_out(held_out: np.ndarray) -> Coloring:
    """Two colours for the mask (n,) of the points that were held out from training."""
    colors = np.where(held_out[:, None], HELD_OUT_COLOR, TRAINING_COLOR).astype(np.uint8)
    return Coloring(colors, key_legend((TRAINING_COLOR, "used in training"), (HELD_OUT_COLOR, "held out")))


def scale_legend(low: str, high: str, meaning: str) -> str:
    """HTML of a colour bar with labels at its ends and its meaning below."""
    stops = ", ".join(f"rgb({r:.0f},{g:.0f},{b:.0f})" for r, g, b in VIRIDIS)
    bar = f'<div style="height:10px;border-radius:3px;background:linear-gradient(90deg,{stops})"></div>'
    ends = f'<div style="display:flex;justify-content:space-between"><span>{low}</span><span>{high}</span></div>'
    return _boxed(f"{bar}{ends}{meaning}")


def section_legend() -> str:
    """HTML of the legend for sections of the field."""
    return key_legend(((67, 147, 195), "solid"), ((214, 96, 77), "air"), ((0, 0, 0), "u = 0"))


def key_legend(*entries: tuple[tuple[int, int, int], str]) -> str:
    """HTML of coloured squares, each followed by its meaning."""
    square = "display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 4px 0 8px;background:rgb"
    return _boxed("".join(f'<span style="{square}({r},{g},{b})"></span>{text}' for (r, g, b), text in entries))


def _boxed(content: str) -> str:
    return f'<div style="font-size:0.8em;padding:0 0.9em 0.4em">{content}</div>'
