# SPDX-License-Identifier: MIT
"""Ray directions of a spherical scan."""

import numpy as np


def even_directions(step_deg: float, rng: np.random.Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Ray directions in rows of equal elevation, with about equal angles between neighbouring rays.

    Args:
        step_deg: angle between neighbouring rays, degrees.
        rng: if given, every ray is shifted randomly by up to a quarter step in azimuth and in elevation.

    Returns:
        (n, 3) unit directions, and (n,) index of the next ray in the same row.
    """
    rows = max(round(180.0 / step_deg), 2)
    elevations = (np.arange(rows) + 0.5) * np.pi / rows - np.pi / 2
    counts = np.maximum(np.round(360.0 / step_deg * np.cos(elevations)).astype(np.int64), 3)
    row = np.repeat(np.arange(rows), counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    column = np.arange(len(row)) - first[row]
    jitter = np.zeros((2, len(row))) if rng is None else rng.uniform(-0.25, 0.25, (2, len(row)))
    azimuth = (column + 0.5 * (row % 2) + jitter[0]) * 2.0 * np.pi / counts[row]
    elevation = elevations[row] + jitter[1] * np.pi / rows
    flat = np.cos(elevation)
    directions = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=1)
    return directions, first[row] + (column + 1) % counts[row]
