# SPDX-License-Identifier: MIT
"""Colours of meshes and scans in the viewer, and the legends that explain them."""

from typing import NamedTuple

import numpy as np

from fastsdf.numerics.colormap import VIRIDIS, on_scale
from fastsdf.rendering.pictures import GAMMA

GREY, POINT_COLOR = (170, 170, 170), (70, 84, 110)
MEASURED_COLOR, INFERRED_COLOR = (94, 160, 110), (226, 120, 50)
SEEN_COLOR, HELD_OUT_COLOR = (150, 160, 175), (220, 40, 90)


class Coloring(NamedTuple):
    """Colours and what they mean.

    Attributes:
        colors: (n, 3) uint8 sRGB.
        legend: HTML for the panel; may be empty.
    """

    colors: np.ndarray
    legend: str = ""


def up_to(limit: float, values: np.ndarray) -> np.ndarray:
    """(n, 3) uint8: dark violet at 0 to yellow at ``limit`` and above; grey where a value is NaN."""
    known = np.isfinite(values)[:, None]
    return np.where(known, np.rint(on_scale(values / limit, VIRIDIS)), GREY).astype(np.uint8)


def by_normal(normals: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 light colours that follow unit normals (n, 3), as in the report."""
    return np.rint(255 * (0.72 + 0.22 * normals) ** (1 / GAMMA)).astype(np.uint8)


def by_confidence(values: np.ndarray) -> Coloring:
    """Colours of ``confidence`` (n,), in [0, 1]."""
    return Coloring(up_to(1.0, values), scale_legend("0", "1", "how likely the scan shows real surface there"))


def by_measured(values: np.ndarray) -> Coloring:
    """Two colours for ``measured`` (n,), 0 or 1."""
    colors = np.where(values[:, None] > 0, MEASURED_COLOR, INFERRED_COLOR).astype(np.uint8)
    return Coloring(colors, key_legend((MEASURED_COLOR, "measured"), (INFERRED_COLOR, "bridges a gap")))


def by_distance(distances_m: np.ndarray, limit_m: float) -> Coloring:
    """Colours of distances (n,) in metres, NaN where there is none, up to a limit."""
    what = "mean distance of the scan's points from the surface; grey: no points near"
    return Coloring(up_to(limit_m, distances_m), scale_legend("0", f"{1e3 * limit_m:.3g} mm", what))


def by_held_out(held_out: np.ndarray) -> Coloring:
    """Two colours for the points (n,) bool that training did not see and those that it did."""
    colors = np.where(held_out[:, None], HELD_OUT_COLOR, SEEN_COLOR).astype(np.uint8)
    return Coloring(colors, key_legend((SEEN_COLOR, "seen in training"), (HELD_OUT_COLOR, "held out")))


def scale_legend(low: str, high: str, what: str) -> str:
    """A bar of the colour scale between two labels."""
    stops = ", ".join(f"rgb({r:.0f},{g:.0f},{b:.0f})" for r, g, b in VIRIDIS)
    bar = f'<div style="height:10px;border-radius:3px;background:linear-gradient(90deg,{stops})"></div>'
    ends = f'<div style="display:flex;justify-content:space-between"><span>{low}</span><span>{high}</span></div>'
    return _boxed(f"{bar}{ends}{what}")


def section_legend() -> str:
    """What the colours of sections mean."""
    return key_legend(((67, 147, 195), "solid"), ((214, 96, 77), "air"), ((0, 0, 0), "u = 0"))


def key_legend(*entries: tuple[tuple[int, int, int], str]) -> str:
    """Squares of colours, each with its meaning."""
    square = "display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 4px 0 8px;background:rgb"
    return _boxed("".join(f'<span style="{square}({r},{g},{b})"></span>{text}' for (r, g, b), text in entries))


def _boxed(content: str) -> str:
    return f'<div style="font-size:0.8em;padding:0 0.9em 0.4em">{content}</div>'
