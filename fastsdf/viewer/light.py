# SPDX-License-Identifier: MIT
"""Inverts the tone mapping of the browser, so that meshes appear in exactly the given colours.

The browser applies ACES filmic tone mapping (Stephen Hill's fit, as in three.js), which darkens colours and shifts
their hue. The vertices therefore carry the linear light that the tone mapping turns into the wanted colours.
"""

import numpy as np

# ACES tone mapping of three.js (ACESFilmicToneMapping): input and output matrix, and the coefficients of the curve
# (v (v + a) - b) / (v (c v + d) + e) between them.
TO_ACES = np.array([(0.59719, 0.35458, 0.04823), (0.07600, 0.90834, 0.01566), (0.02840, 0.13383, 0.83777)])
FROM_ACES = np.array([(1.60475, -0.53108, -0.07367), (-0.10208, 1.10813, -0.00605), (-0.00327, -0.07276, 1.07602)])
CURVE_A, CURVE_B, CURVE_C, CURVE_D, CURVE_E = 0.0245786, 0.000090537, 0.983729, 0.4329510, 0.238081
EXPOSURE = 0.6  # three.js divides the light by it before the tone mapping
MAX_LIGHT = 0.94  # linear; brighter colours are clipped, because the inverse curve is steep near 1; chosen, not swept
SRGB_CUT, SRGB_SLOPE = 0.04045, 12.92  # linear part of the sRGB transfer function (IEC 61966-2-1)
LIGHT_DIRECTION = np.array([0.36, 0.48, 0.8])  # unit vector towards the light; chosen by eye


def shaded(colors: np.ndarray, normals: np.ndarray, depth: float) -> np.ndarray:
    """Shade colours by a distant light.

    Args:
        colors: (n, 3) uint8.
        normals: (n, 3) unit vectors.
        depth: share of the brightness that is lost where the normal points away from the light.

    Returns:
        (n, 3) uint8.
    """
    toward = 0.5 + 0.5 * (normals @ LIGHT_DIRECTION)
    return np.rint(colors * (1 - depth + depth * np.clip(toward, 0, 1))[:, None]).astype(np.uint8)


def before_tone_mapping(colors: np.ndarray) -> np.ndarray:
    """Linear light that the browser displays as the given colours.

    White comes out slightly darker (see `MAX_LIGHT`). Saturated colours need negative light in some channels.

    Args:
        colors: (n, 3) uint8 sRGB.

    Returns:
        (n, 3) float32.
    """
    mapped = np.minimum(srgb_to_linear(colors), MAX_LIGHT) @ np.linalg.inv(FROM_ACES).T
    light = EXPOSURE * inverse_curve(np.clip(mapped, 0.0, MAX_LIGHT)) @ np.linalg.inv(TO_ACES).T
    return light.astype(np.float32)


def inverse_curve(values: np.ndarray) -> np.ndarray:
    """Inverse of the tone curve for values in [0, 1): the positive root of a quadratic equation."""
    square, single, constant = 1 - CURVE_C * values, CURVE_A - CURVE_D * values, -CURVE_B - CURVE_E * values
    return (-single + np.sqrt(single**2 - 4 * square * constant)) / (2 * square)


def srgb_to_linear(colors: np.ndarray) -> np.ndarray:
    """Linear light (n, 3) in [0, 1] of sRGB colours (n, 3) uint8."""
    s = np.arange(256) / 255
    table = np.where(s <= SRGB_CUT, s / SRGB_SLOPE, ((s + 0.055) / 1.055) ** 2.4)
    return table[colors]
