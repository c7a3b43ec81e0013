# SPDX-License-Identifier: MIT
"""Colours along a scale."""

import numpy as np

VIRIDIS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64)


def on_scale(share: np.ndarray, colors: np.ndarray, stops: np.ndarray | None = None) -> np.ndarray:
    """Colours (..., 3) of shares (...), linear between those of a scale; the ends' beyond it, NaN of NaN.

    Args:
        share: places on the scale.
        colors: (k, 3) of its stops.
        stops: (k,) where they are; None: evenly from 0 to 1.
    """
    places = np.linspace(0.0, 1.0, len(colors)) if stops is None else stops
    return np.stack([np.interp(share, places, channel) for channel in colors.T], axis=-1)
