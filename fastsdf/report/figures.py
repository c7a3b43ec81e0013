# SPDX-License-Identifier: MIT
"""Figures and pictures as image files in memory. The only place that imports matplotlib, which is optional."""

from collections.abc import Callable
from io import BytesIO
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from fastsdf.system.optional_import import needed_for

Figure: TypeAlias = Any  # matplotlib's
Axes: TypeAlias = Any
DPI = 160
JPEG_QUALITY = 88
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False}


def load_matplotlib() -> ModuleType:
    """The module ``matplotlib`` with its figures and images, imported on the first call.

    Raises:
        InputError: if it is not installed.
    """
    with needed_for("reports need matplotlib", "pip install matplotlib jinja2"):
        import matplotlib
        import matplotlib.figure
        import matplotlib.image
    return matplotlib


def chart(paint: Callable[[Figure, Axes], None], size: tuple[float, float] = (5.0, 3.0)) -> bytes:
    """The PNG file of a figure; no display is needed.

    Args:
        paint: draws into a figure and its axes.
        size: width and height, inches.
    """
    matplotlib = load_matplotlib()
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        paint(figure, figure.subplots())
        file = BytesIO()
        figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def photograph(pixels: np.ndarray) -> bytes:
    """The JPEG file of (height, width, 3) uint8 pixels."""
    file = BytesIO()
    options = {"quality": JPEG_QUALITY}
    load_matplotlib().image.imsave(file, pixels, format="jpeg", pil_kwargs=options)
    return file.getvalue()
