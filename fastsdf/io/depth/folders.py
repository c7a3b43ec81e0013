# SPDX-License-Identifier: MIT
"""Reads a folder of posed depth images as one point cloud with a sensor position per point."""

from pathlib import Path

import numpy as np

from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.depth.images import back_project, read_depth_image, without_edges
from fastsdf.io.depth.layouts import DepthSequence, find_sequence

MAX_POINTS = 3_000_000  # pixels used in total if no stride is given; bounds memory and time, not swept
MAX_JUMP = 0.05  # share of the depth, at a depth edge between neighbouring pixels; chosen, not swept


def read_depth_folder(folder: Path, stride: int | None = None) -> PointCloud:
    """Back-project the depth images of a folder; the result is not cleaned.

    Pixels at depth edges, where the depth of a neighbour differs by more than 5%, are dropped. Images whose pose is not
    finite are left out with a note. `fastsdf.io.depth.layouts` lists the known layouts.

    Args:
        folder: the folder.
        stride: use every n-th pixel in both directions; None: the smallest stride that gives at most 3 million pixels.

    Raises:
        ScanError: the layout of the folder is unknown, or one of its files is missing or damaged.
        InputError: ``stride`` is below 1.
    """
    if stride is not None and stride < 1:
        raise InputError(f"the pixel stride must be at least 1, got {stride}")
    sequence = find_sequence(folder)
    used = np.flatnonzero(np.isfinite(sequence.matrices).all(axis=(1, 2)))
    if len(used) == 0:
        raise ScanError(f"{folder}: none of the {len(sequence.images)} depth images has a usable pose")
    stride = stride or _stride_for(len(used), sequence)
    parts = [_image_points(sequence, index, stride) for index in used.tolist()]
    sensors = np.repeat(sequence.matrices[used, :3, 3], [len(part) for part in parts], axis=0)
    return PointCloud(np.concatenate(parts), sensors=sensors, notes=_notes(sequence, len(used), stride))


def _image_points(sequence: DepthSequence, index: int, stride: int) -> np.ndarray:
    depth = read_depth_image(sequence.images[index], sequence.camera)
    return back_project(without_edges(depth, MAX_JUMP), sequence.camera, sequence.matrices[index], stride)


def _stride_for(images: int, sequence: DepthSequence) -> int:
    camera, stride = sequence.camera, 1
    while images * -(-camera.width // stride) * -(-camera.height // stride) > MAX_POINTS:
        stride += 1
    return stride


def _notes(sequence: DepthSequence, used: int, stride: int) -> tuple[str, ...]:
    notes = (*sequence.notes, f"{used} depth images ({sequence.layout} layout), pixel stride {stride}")
    lost = len(sequence.images) - used
    return (*notes, f"{lost} depth images without a finite pose left out") if lost else notes
