# SPDX-License-Identifier: MIT
"""Colours as the browser needs them to show the colours that were meant.

The browser draws meshes through the ACES filmic curve (Narkowicz and Hill's fit, as in three.js), which would darken
colours and shift their hue. Vertices carry the light that comes out of it right.
"""

import numpy as np

TO_ACES = np.array([(0.59719, 0.35458, 0.04823), (0.07600, 0.90834, 0.01566), (0.02840, 0.13383, 0.83777)])
FROM_ACES = np.array([(1.60475, -0.53108, -0.07367), (-0.10208, 1.10813, -0.00605), (-0.00327, -0.07276, 1.07602)])
RISE, FLOOR, BEND, SLOPE, BASE = 0.0245786, 0.000090537, 0.983729, 0.4329510, 0.238081
EXPOSURE = 0.6
BRIGHTEST = 0.94
LINEAR_CUT, LINEAR_SLOPE = 0.04045, 12.92
LAMP = np.array([0.36, 0.48, 0.8])


def shaded(colors: np.ndarray, normals: np.ndarray, depth: float) -> np.ndarray:
    """Colours (n, 3) uint8 lit by a lamp far above: those whose normals (n, 3) look away lose the share ``depth``."""
    toward = 0.5 + 0.5 * (normals @ LAMP)
    return np.rint(colors * (1 - depth + depth * np.clip(toward, 0, 1))[:, None]).astype(np.uint8)


def before_tone_mapping(colors: np.ndarray) -> np.ndarray:
    """(n, 3) float32 light that the browser shows as colours (n, 3) uint8 sRGB; white a little less than white.

    Pure colours need negative light in some channels.
    """
    fitted = np.minimum(linear(colors), BRIGHTEST) @ np.linalg.inv(FROM_ACES).T
    return (EXPOSURE * unfitted(np.clip(fitted, 0.0, BRIGHTEST)) @ np.linalg.inv(TO_ACES).T).astype(np.float32)


def unfitted(values: np.ndarray) -> np.ndarray:
    """Inverse of the filmic curve v (v + a) - b over v (c v + d) + e, for values from 0 to below 1."""
    square, single, constant = 1 - BEND * values, RISE - SLOPE * values, -FLOOR - BASE * values
    return (-single + np.sqrt(single**2 - 4 * square * constant)) / (2 * square)


def linear(colors: np.ndarray) -> np.ndarray:
    """(n, 3) linear light in [0, 1] of uint8 sRGB colours."""
    s = np.arange(256) / 255
    table = np.where(s <= LINEAR_CUT, s / LINEAR_SLOPE, ((s + 0.055) / 1.055) ** 2.4)
    return table[colors]
