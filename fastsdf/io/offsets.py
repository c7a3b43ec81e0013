# SPDX-License-Identifier: MIT
"""Offsets for large coordinates: formats with float32 store vertices relative to an offset in whole units."""

import json
from pathlib import Path

import numpy as np

from fastsdf.errors import ScanError

MAX_ROUNDING_M = 1e-5  # largest rounding error of float32 storage; chosen: far below the noise of scanners


def needs_float64(values: np.ndarray, metres_per_unit: float = 1.0) -> bool:
    """Whether float32 would round coordinates of this size by more than ``MAX_ROUNDING_M``."""
    return bool(values.size) and float(np.abs(values).max()) * 2.0**-24 * metres_per_unit > MAX_ROUNDING_M


def storage_offset(vertices: np.ndarray, metres_per_unit: float = 1.0) -> np.ndarray:
    """Offset (3,) in whole units to subtract from vertices (n, 3) before float32 storage; zero if not needed."""
    if not needs_float64(vertices, metres_per_unit):
        return np.zeros(3)
    return np.rint((vertices.min(axis=0) + vertices.max(axis=0)) / 2.0)


def sidecar_path(path: Path) -> Path:
    """The file that holds the offset of a mesh file: ``room.stl`` -> ``room.stl.offset.json``."""
    return path.with_name(path.name + ".offset.json")


def read_sidecar(path: Path) -> np.ndarray:
    """Read the offset (3,) of a mesh file from its sidecar file; zero if there is none.

    Raises:
        ScanError: the sidecar exists but does not hold {"offset": [x, y, z]}.
    """
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        return np.zeros(3)
    try:
        offset = np.array(json.loads(sidecar.read_text(encoding="utf-8"))["offset"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScanError(f"{sidecar} cannot be read ({error}): repair or remove it") from error
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise ScanError(f"{sidecar} does not hold three finite numbers under 'offset': repair or remove it")
    return offset
