# SPDX-License-Identifier: MIT
"""Encodes matplotlib figures and pixel arrays as image files in memory.

This is the only module that imports matplotlib, which is optional.
"""

from collections.abc import Callable
from io import BytesIO
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from fastsdf.system.optional_import import needed_for

Figure: TypeAlias = Any  # matplotlib's
Axes: TypeAlias = Any
DPI = 160  # pixels per inch of charts; chosen: sharp on high-resolution screens
JPEG_QUALITY = 88  # of 100; chosen by eye
# Of all figures: small type, and no frame at the top and right; chosen by eye.
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False}


def load_matplotlib() -> ModuleType:
    """Import ``matplotlib`` with its modules ``figure`` and ``image``.

    Raises:
        InputError: matplotlib is not installed.
    """
    with needed_for("reports need matplotlib", "pip install matplotlib jinja2"):
        import matplotlib
        import matplotlib.figure
        import matplotlib.image
    return matplotlib


def chart(paint: Callable[[Figure, Axes], None], size: tuple[float, float] = (5.0, 3.0)) -> bytes:
    """Draw a figure without a display.

    Args:
        paint: draws into a figure and its axes.
        size: width and height, inches.

    Returns:
        A PNG file.
    """
    matplotlib = load_matplotlib()
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        paint(figure, figure.subplots())
        file = BytesIO()
        figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def encode_jpeg(pixels: np.ndarray) -> bytes:
    """Encode pixels (height, width, 3) uint8 as a JPEG file."""
    file = BytesIO()
    options = {"quality": JPEG_QUALITY}
    load_matplotlib().image.imsave(file, pixels, format="jpeg", pil_kwargs=options)
    return file.getvalue()
