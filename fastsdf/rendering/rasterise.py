# SPDX-License-Identifier: MIT
"""A triangle rasteriser with a depth test, in numpy.

Triangles are processed in groups whose bounding boxes on the screen fit a square of 2^k pixels; all pixels of these
squares are tested at once. The depth test compares 1 / depth, which is linear on the screen.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastsdf.rendering.camera import Camera

FACE_CHUNK = 1 << 18  # triangles projected at once; bounds the memory, not swept
PIXEL_CHUNK = 1 << 21  # pixels tested at once; bounds the memory, not swept
EDGE_TOLERANCE = 1e-9  # barycentric; closes gaps from rounding between neighbouring triangles


class Hits(NamedTuple):
    """The nearest triangle of each pixel.

    Attributes:
        face: (height, width) int64 index of the triangle, -1 for background.
        depth: (height, width) depth along the direction of view, world units; infinite for background.
    """

    face: np.ndarray
    depth: np.ndarray


class _Triangles(NamedTuple):
    """Triangles on the screen: corners (t, 3, 2), 1 / depth of the corners (t, 3) and face index (t,)."""

    corners: np.ndarray
    inverse_depth: np.ndarray
    face: np.ndarray

    def take(self, index: np.ndarray) -> "_Triangles":
        """The triangles of an index array."""
        return _Triangles(*(values[index] for values in self))


def rasterise(camera: Camera, vertices: np.ndarray, faces: np.ndarray, near: float) -> Hits:
    """Find the nearest triangle at the centre of every pixel; both sides of a triangle are visible.

    Args:
        camera: the view.
        vertices: (v, 3) world points.
        faces: (f, 3) vertex indices.
        near: depth of the near plane, world units, above 0; nearer parts of triangles are cut off.
    """
    inverse_depth = np.zeros(camera.width * camera.height)
    nearest = np.full(len(inverse_depth), -1)
    points = camera.to_camera(vertices)
    for start in range(0, len(faces), FACE_CHUNK):
        corners, face = _clip_near(points[faces[start : start + FACE_CHUNK]], near)
        triangles = _Triangles(camera.to_screen(corners), 1 / corners[..., 2], face + start)
        for pixel, value, number in _covered_pixels(triangles, camera.width, camera.height):
            np.maximum.at(inverse_depth, pixel, value)
            visible = inverse_depth[pixel] == value
            nearest[pixel[visible]] = number[visible]
    with np.errstate(divide="ignore"):
        depth = 1 / inverse_depth
    shape = camera.height, camera.width
    return Hits(nearest.reshape(shape), depth.reshape(shape))


def _clip_near(corners: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Clip camera-space triangles (t, 3, 3) at the depth ``near``.

    Returns:
        The clipped triangles (c, 3, 3) and the index (c,) of the triangle that each is a part of.
    """
    deep = corners[..., 2] >= near
    count = deep.sum(1)
    whole, one, two = (np.flatnonzero(count == number) for number in (3, 1, 2))
    tip = _rotated_corners(corners[one], deep[one].argmax(1))
    cut = _rotated_corners(corners[two], (~deep[two]).argmax(1))
    tips = np.stack([tip[:, 0], _at_depth(tip[:, 0], tip[:, 1], near), _at_depth(tip[:, 0], tip[:, 2], near)], 1)
    first, second = _at_depth(cut[:, 1], cut[:, 0], near), _at_depth(cut[:, 2], cut[:, 0], near)
    halves = np.stack([first, cut[:, 1], cut[:, 2]], 1), np.stack([first, cut[:, 2], second], 1)
    return np.concatenate([corners[whole], tips, *halves]), np.concatenate([whole, one, two, two])


def _rotated_corners(corners: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Triangles (t, 3, 3) with their corners in cyclic order from corner ``first`` (t,) on."""
    order = (first[:, None] + np.arange(3)) % 3
    return np.take_along_axis(corners, order[..., None], 1)


def _at_depth(start: np.ndarray, end: np.ndarray, depth: float) -> np.ndarray:
    """Points (t, 3) at the given depth on the segments from ``start`` to ``end`` (t, 3)."""
    share = (depth - start[:, 2]) / (end[:, 2] - start[:, 2])
    return start + share[:, None] * (end - start)


def _covered_pixels(
    triangles: _Triangles, width: int, height: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield chunks of (pixel, triangle) pairs where a triangle covers a pixel: pixel index, 1 / depth, face index."""
    low = np.ceil(triangles.corners.min(1) - 0.5).clip(0, [width, height]).astype(np.int64)
    high = (np.floor(triangles.corners.max(1) - 0.5) + 1).clip(0, [width, height]).astype(np.int64)
    side = np.where((high > low).all(1), (high - low).max(1), 0)
    shift = np.ceil(np.log2(np.maximum(side, 1))).astype(np.int64)
    for power in np.unique(shift[side > 0]):
        group = np.flatnonzero((side > 0) & (shift == power))
        step = max(1, PIXEL_CHUNK >> (2 * int(power)))
        for start in range(0, len(group), step):
            part = group[start : start + step]
            yield _cover_squares(triangles.take(part), low[part], high[part], 1 << int(power), width)


def _cover_squares(
    t: _Triangles, low: np.ndarray, high: np.ndarray, side: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_covered_pixels` for triangles whose boxes, pixels ``low`` (t, 2) to ``high``, fit ``side`` pixels per axis."""
    origin, one, two = t.corners[:, 0], t.corners[:, 1] - t.corners[:, 0], t.corners[:, 2] - t.corners[:, 0]
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    scale = np.divide(1.0, area, out=np.full_like(area, np.nan), where=area != 0)[:, None, None]
    pixels = low[:, :, None] + np.arange(side)
    x = (pixels[:, 0] + 0.5 - origin[:, :1])[:, None, :]
    y = (pixels[:, 1] + 0.5 - origin[:, 1:])[:, :, None]
    first = (x * two[:, 1, None, None] - y * two[:, 0, None, None]) * scale
    second = (y * one[:, 0, None, None] - x * one[:, 1, None, None]) * scale
    inside = (first >= -EDGE_TOLERANCE) & (second >= -EDGE_TOLERANCE) & (first + second <= 1 + EDGE_TOLERANCE)
    inside &= ((pixels < high[:, :, None])[:, 0, None, :]) & ((pixels < high[:, :, None])[:, 1, :, None])
    which, row, column = np.nonzero(inside)
    slope = t.inverse_depth[:, 1:] - t.inverse_depth[:, :1]
    value = t.inverse_depth[which, 0] + first[inside] * slope[which, 0] + second[inside] * slope[which, 1]
    pixel = (low[which, 1] + row) * width + low[which, 0] + column
    return pixel, value, t.face[which]
