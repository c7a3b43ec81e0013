# SPDX-License-Identifier: MIT
"""Colour maps: linear interpolation between the colours of a scale."""

import numpy as np

# uint8 RGB; matplotlib's viridis, sampled at five evenly spaced positions
VIRIDIS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64)


def interpolate_colors(values: np.ndarray, colors: np.ndarray, stops: np.ndarray | None = None) -> np.ndarray:
    """Map values to colours by linear interpolation.

    Args:
        values: (...) positions on the colour scale.
        colors: (k, 3) colours at the stops.
        stops: (k,) ascending positions of the stops; None: evenly spaced from 0 to 1.

    Returns:
        (..., 3); values beyond the scale get the colour of its nearer end, NaN gives NaN.
    """
    positions = np.linspace(0.0, 1.0, len(colors)) if stops is None else stops
    return np.stack([np.interp(values, positions, channel) for channel in colors.T], axis=-1)
