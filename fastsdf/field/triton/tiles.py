# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Tiles of points, features and weights, and their products on matrix units: device functions.

A float32 number is split into two float16 numbers of 11 bits each where a product must keep float32's precision.
"""

import triton
import triton.language as tl

_SPLIT = tl.constexpr(2048.0)
GRADIENT_TARGET = tl.constexpr(256.0)


@triton.jit
def halves(a):
    """A float32 tile as two float16 tiles: a = high + low / 2048."""
    high = a.to(tl.float16)
    return high, ((a - high.to(tl.float32)) * _SPLIT).to(tl.float16)


@triton.jit
def exact_dot(a_high, a_low, b_high, b_low):
    """The product of two split tiles to 22 bits."""
    return tl.dot(a_high, b_high) + (tl.dot(a_low, b_high) + tl.dot(a_high, b_low)) * (1 / _SPLIT)


@triton.jit
def load_features(ptr, columns, points, features, pitch, mask):
    """(K, BLOCK) features of points, 0 past the last feature and the last point."""
    place = columns[:, None].to(tl.int64) * pitch + points[None, :]
    return tl.load(ptr + place, mask=(columns < features)[:, None] & mask[None, :], other=0.0)


@triton.jit
def load_axis(ptr, axis, stride, columns, points, features, pitch, mask):
    """First and second differences along an axis, see `load_features`; zeros, and no load, past the last axis."""
    here, wanted = ptr + 2 * axis * stride, mask & (axis < 3)
    first = load_features(here, columns, points, features, pitch, wanted)
    return first, load_features(here + stride, columns, points, features, pitch, wanted)


@triton.jit
def store_features(ptr, value, columns, points, features, pitch, mask):
    """Writes (BLOCK, K) features of points where `load_features` reads them."""
    place = columns[None, :].to(tl.int64) * pitch + points[:, None]
    tl.store(ptr + place, value, mask=(columns < features)[None, :] & mask[:, None])


@triton.jit
def load_first_weights(w1_ptr, unit, column, features, width):
    """(K, H) weights of the features in the first layer, transposed."""
    place = unit[None, :] * width + 3 + column[:, None]
    return tl.load(w1_ptr + place, mask=(column < features)[:, None] & (unit >= 0)[None, :], other=0.0)


@triton.jit
def load_position_weights(w1_ptr, b1_ptr, unit, width):
    """(16, H): bias and weights of x, y and z in the first layer, then zeros: what `positions` is multiplied with."""
    slot = tl.arange(0, 16)
    bias = tl.load(b1_ptr + unit[None, :], mask=(slot == 0)[:, None] & (unit >= 0)[None, :], other=0.0)
    place = w1_ptr + unit[None, :] * width + slot[:, None] - 1
    return bias + tl.load(place, mask=((slot > 0) & (slot < 4))[:, None] & (unit >= 0)[None, :], other=0.0)


@triton.jit
def positions(x_ptr, points, mask):
    """(BLOCK, 16) 1, x, y, z of points, then zeros."""
    slot = tl.arange(0, 16)
    place = x_ptr + 3 * points[:, None] + slot[None, :] - 1
    x = tl.load(place, mask=((slot > 0) & (slot < 4))[None, :] & mask[:, None], other=0.0)
    return tl.where((slot == 0)[None, :] & mask[:, None], 1.0, x)


@triton.jit
def column(values, where):
    """(BLOCK, 16) with values (BLOCK,) in one column and zeros elsewhere, float16."""
    return tl.where((tl.arange(0, 16) == where)[None, :], values[:, None], 0.0).to(tl.float16)


@triton.jit
def gradient_scale(largest_ptr):
    """What gradients are multiplied with so that float16 holds them; 1 for a largest one of 0."""
    largest = tl.load(largest_ptr)
    return tl.where(largest > 0, (1 / largest) * GRADIENT_TARGET, 1.0)
