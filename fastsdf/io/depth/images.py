# SPDX-License-Identifier: MIT
"""Reads depth images with Pillow and back-projects them. This is the only module that imports Pillow."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.io.files import require_file
from fastsdf.system.optional_import import needed_for

INVALID = 65535  # pixel value without a measurement, as is 0; the largest value of 16 bits


class Intrinsics(NamedTuple):
    """A pinhole camera: pixel (column, row) = (fx x / z + cx, fy y / z + cy), with pixel centres at integers.

    ``units_per_m`` is the pixel value of a depth of one metre.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    units_per_m: float


def read_depth_image(path: str | Path, camera: Intrinsics) -> np.ndarray:
    """Read a 16-bit depth image.

    Returns:
        (height, width) float64 depth along the optical axis, metres; 0 for pixels without a measurement.

    Raises:
        ScanError: Pillow is not installed, or the image is damaged, not 16-bit grey, or not of the camera's size.
    """
    path = require_file(path)
    with needed_for(f"{path}: depth images need Pillow", "pip install pillow", ScanError):
        from PIL import Image
    try:
        with Image.open(path) as image:
            mode, values = image.mode, np.array(image)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's decoders raise these for damaged files.
        raise ScanError(f"{path} cannot be read as an image ({error}): copy it again") from error
    if not mode.startswith("I"):
        raise ScanError(f"{path} is an image of mode {mode}: depth images are grey with 16 bits")
    if values.shape != (camera.height, camera.width):
        raise ScanError(
            f"{path} has {values.shape[1]} x {values.shape[0]} pixels, the camera {camera.width} x {camera.height}: "
            "correct the intrinsics (an intrinsics.txt 'fx fy cx cy width height depth_units_per_metre' in the folder)"
        )
    return np.where(values == INVALID, 0, values) / camera.units_per_m


def without_edges(depth: np.ndarray, max_jump: float) -> np.ndarray:
    """Set the pixels on both sides of depth edges to 0.

    Args:
        depth: (h, w), 0 for pixels without a measurement.
        max_jump: largest depth difference between two neighbouring pixels that is no edge, as a share of the smaller
            depth.
    """
    edge = np.zeros(depth.shape, dtype=bool)
    for one, two in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        nearer = np.minimum(depth[one], depth[two])
        jump = (nearer > 0) & (np.abs(depth[one] - depth[two]) > max_jump * nearer)
        edge[one] |= jump
        edge[two] |= jump
    return np.where(edge, 0.0, depth)


def back_project(depth: np.ndarray, camera: Intrinsics, pose: np.ndarray, stride: int) -> np.ndarray:
    """Back-project every ``stride``-th pixel in both directions.

    Args:
        depth: (h, w) metres, 0 for pixels without a measurement.
        camera: camera of the image.
        pose: (4, 4) camera to world; the camera's axes are x right, y down and z forward.
        stride: pixels from one sample to the next, >= 1.

    Returns:
        (m, 3) world points.
    """
    rows, columns = np.mgrid[stride // 2 : depth.shape[0] : stride, stride // 2 : depth.shape[1] : stride]
    sampled = depth[rows, columns]
    keep = sampled > 0
    z, row, column = sampled[keep], rows[keep], columns[keep]
    points = np.stack([(column - camera.cx) / camera.fx * z, (row - camera.cy) / camera.fy * z, z], axis=1)
    return points @ pose[:3, :3].T + pose[:3, 3]
