# SPDX-License-Identifier: MIT
"""The grid layout of tiny-cuda-nn 2.0 (grid.h, common_device.h), transcribed to float32 and uint32 of numpy.

This is independent of `fastsdf.field.hash_grid`; the tests compare `GridSpec` and the adapter with it.
"""

from typing import Any

import numpy as np

F32, U32 = np.float32, np.uint32
PRIMES = (1, 2654435761, 805459861)  # of the spatial hash
LARGEST_DENSE = 0x659  # nodes across; the cube of a larger number does not fit in 32 bits


def grid_scale(level: int, config: dict[str, Any], exp2_error: float = 0.0) -> np.float32:
    """Scale of a level; ``exp2_error`` is the relative error of exp2 on a device, except at whole numbers."""
    exponent = F32(level) * np.log2(F32(config["per_level_scale"]))
    power = np.exp2(exponent) * F32(1 if exponent == np.round(exponent) else 1 + exp2_error)
    return F32(power * F32(config["base_resolution"]) - F32(1))


def grid_resolution(scale: np.float32) -> int:
    """Number of nodes across a level."""
    return int(np.ceil(scale)) + 1


def offset_table(config: dict[str, Any], exp2_error: float = 0.0) -> list[int]:
    """Index of the first entry of each level, followed by the total number of entries."""
    offsets = [0]
    for level in range(config["n_levels"]):
        resolution = grid_resolution(grid_scale(level, config, exp2_error))
        entries = min(resolution**3, (2**32 - 1) // 2)
        entries = (entries + 7) // 8 * 8
        offsets.append(offsets[-1] + min(entries, 1 << config["log2_hashmap_size"]))
    return offsets


def is_hashed(size: int, resolution: int) -> bool:
    """Whether a level with ``size`` entries and ``resolution`` nodes across is hashed."""
    stride = resolution**3 if resolution <= LARGEST_DENSE else 0xFFFFFFFF
    return size < stride


def grid_index(nodes: np.ndarray, size: int, resolution: int) -> np.ndarray:
    """Indices (n,) of integer nodes (n, 3) within a level."""
    x, y, z = nodes.astype(np.int64).astype(U32).T
    if is_hashed(size, resolution):
        index = x ^ (y * U32(PRIMES[1])) ^ (z * U32(PRIMES[2]))
    else:
        index = x + y * U32(resolution) + z * U32(resolution * resolution)
    return (index % U32(size)).astype(np.int64)


def encode(x: np.ndarray, params: np.ndarray, config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, levels * features) of points (n, 3) float32, entry indices (n, levels, 8) and their weights."""
    levels, features, offsets = config["n_levels"], config["n_features_per_level"], offset_table(config)
    table = params.reshape(-1, features)
    rows = np.empty((len(x), levels, 8), np.int64)
    weights = np.ones((len(x), levels, 8), F32)
    for level in range(levels):
        scale = grid_scale(level, config)
        position = x * scale + F32(0.5)
        cell = np.floor(position)
        fraction = position - cell
        size, resolution = offsets[level + 1] - offsets[level], grid_resolution(scale)
        for corner in range(8):
            bits = np.array([corner >> axis & 1 for axis in range(3)])
            rows[:, level, corner] = grid_index(cell.astype(np.int64) + bits, size, resolution) + offsets[level]
            weights[:, level, corner] = np.where(bits == 1, fraction, 1 - fraction).prod(axis=1)
    encoded = (table[rows] * weights[..., None]).sum(axis=2)
    return encoded.reshape(len(x), levels * features), rows, weights
