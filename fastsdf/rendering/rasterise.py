# SPDX-License-Identifier: MIT
"""Triangles to pixels with a depth test, in numpy.

Triangles are taken in groups whose boxes on the screen fit a square of 2^k pixels; a group tests all pixels of its
squares at once. 1 / depth is linear on the screen, so the nearest triangle of a pixel is the one of the largest.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastsdf.rendering.camera import Camera

FACE_CHUNK = 1 << 18
PIXEL_CHUNK = 1 << 21
ON_EDGE = 1e-9


class Hits(NamedTuple):
    """What each pixel sees.

    Attributes:
        face: (height, width) int64, -1 where there is nothing.
        depth: (height, width) along the direction of view, world units; infinite where there is nothing.
    """

    face: np.ndarray
    depth: np.ndarray


class _Triangles(NamedTuple):
    """Triangles on the screen: corners (t, 3, 2), 1 / depth of them (t, 3), number of the face (t,)."""

    corners: np.ndarray
    closeness: np.ndarray
    face: np.ndarray

    def take(self, index: np.ndarray) -> "_Triangles":
        """Those of an index array."""
        return _Triangles(*(values[index] for values in self))


def rasterise(camera: Camera, vertices: np.ndarray, faces: np.ndarray, near: float) -> Hits:
    """The nearest triangle at the centre of every pixel, from either side.

    Args:
        camera: the view.
        vertices: (v, 3) world points.
        faces: (f, 3) indices.
        near: what is less deep than this is cut off, world units, above 0.
    """
    closeness = np.zeros(camera.width * camera.height)
    nearest = np.full(len(closeness), -1)
    points = camera.to_camera(vertices)
    for start in range(0, len(faces), FACE_CHUNK):
        corners, face = _cut_near(points[faces[start : start + FACE_CHUNK]], near)
        triangles = _Triangles(camera.to_screen(corners), 1 / corners[..., 2], face + start)
        for pixel, value, number in _covered(triangles, camera.width, camera.height):
            np.maximum.at(closeness, pixel, value)
            won = closeness[pixel] == value
            nearest[pixel[won]] = number[won]
    with np.errstate(divide="ignore"):
        depth = 1 / closeness
    shape = camera.height, camera.width
    return Hits(nearest.reshape(shape), depth.reshape(shape))


def _cut_near(corners: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """The parts of camera-space triangles (t, 3, 3) that are at least ``near`` deep, and which each belongs to."""
    deep = corners[..., 2] >= near
    count = deep.sum(1)
    whole, one, two = (np.flatnonzero(count == number) for number in (3, 1, 2))
    tip = _turned(corners[one], deep[one].argmax(1))
    cut = _turned(corners[two], (~deep[two]).argmax(1))
    tips = np.stack([tip[:, 0], _at_depth(tip[:, 0], tip[:, 1], near), _at_depth(tip[:, 0], tip[:, 2], near)], 1)
    first, second = _at_depth(cut[:, 1], cut[:, 0], near), _at_depth(cut[:, 2], cut[:, 0], near)
    halves = np.stack([first, cut[:, 1], cut[:, 2]], 1), np.stack([first, cut[:, 2], second], 1)
    return np.concatenate([corners[whole], tips, *halves]), np.concatenate([whole, one, two, two])


def _turned(corners: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Triangles (t, 3, 3) with their corners turned so that number ``first`` (t,) comes first."""
    order = (first[:, None] + np.arange(3)) % 3
    return np.take_along_axis(corners, order[..., None], 1)


def _at_depth(start: np.ndarray, end: np.ndarray, depth: float) -> np.ndarray:
    """Points (t, 3) of the lines from ``start`` to ``end`` (t, 3) at a depth between theirs."""
    share = (depth - start[:, 2]) / (end[:, 2] - start[:, 2])
    return start + share[:, None] * (end - start)


def _covered(triangles: _Triangles, width: int, height: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pixel number, 1 / depth and face of the pixel centres under the triangles, in portions."""
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
    """`_covered` of triangles whose boxes, pixels ``low`` (t, 2) up to ``high``, fit squares of ``side`` pixels."""
    origin, one, two = t.corners[:, 0], t.corners[:, 1] - t.corners[:, 0], t.corners[:, 2] - t.corners[:, 0]
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    scale = np.divide(1.0, area, out=np.full_like(area, np.nan), where=area != 0)[:, None, None]
    pixels = low[:, :, None] + np.arange(side)
    x = (pixels[:, 0] + 0.5 - origin[:, :1])[:, None, :]
    y = (pixels[:, 1] + 0.5 - origin[:, 1:])[:, :, None]
    first = (x * two[:, 1, None, None] - y * two[:, 0, None, None]) * scale
    second = (y * one[:, 0, None, None] - x * one[:, 1, None, None]) * scale
    inside = (first >= -ON_EDGE) & (second >= -ON_EDGE) & (first + second <= 1 + ON_EDGE)
    inside &= ((pixels < high[:, :, None])[:, 0, None, :]) & ((pixels < high[:, :, None])[:, 1, :, None])
    which, row, column = np.nonzero(inside)
    rise = t.closeness[:, 1:] - t.closeness[:, :1]
    value = t.closeness[which, 0] + first[inside] * rise[which, 0] + second[inside] * rise[which, 1]
    pixel = (low[which, 1] + row) * width + low[which, 0] + column
    return pixel, value, t.face[which]
