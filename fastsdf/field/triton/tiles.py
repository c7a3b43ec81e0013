# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Device functions that load, store and multiply tiles of points, features and weights on matrix units.

Where a product needs float32 precision, each float32 number is split into two float16 numbers with 11 bits each.
"""

import triton
import triton.language as tl

_SPLIT = tl.constexpr(2048.0)  # 2^11: a float16 number has 11 significant bits
GRADIENT_TARGET = tl.constexpr(256.0)  # of the largest gradient; leaves 2^8 below the overflow of float16 at 65504


@triton.jit
def halves(a):
    """Splits a float32 tile into two float16 tiles: a = high + low / 2048."""
    high = a.to(tl.float16)
    return high, ((a - high.to(tl.float32)) * _SPLIT).to(tl.float16)


@triton.jit
def exact_dot(a_high, a_low, b_high, b_low):
    """The product of two split tiles, with 22 significant bits."""
    return tl.dot(a_high, b_high) + (tl.dot(a_low, b_high) + tl.dot(a_high, b_low)) * (1 / _SPLIT)


@triton.jit
def load_features(ptr, columns, points, features, pitch, mask):
    """Loads features (K, BLOCK) of points; 0 for columns and points beyond the last."""
    offset = columns[:, None].to(tl.int64) * pitch + points[None, :]
    return tl.load(ptr + offset, mask=(columns < features)[:, None] & mask[None, :], other=0.0)


@triton.jit
def load_axis(ptr, axis, stride, columns, points, features, pitch, mask):
    """Loads the first and second differences along an axis, see `load_features`; zeros for axes beyond the third."""
    start, exists = ptr + 2 * axis * stride, mask & (axis < 3)
    first = load_features(start, columns, points, features, pitch, exists)
    return first, load_features(start + stride, columns, points, features, pitch, exists)


@triton.jit
def store_features(ptr, value, columns, points, features, pitch, mask):
    """Stores features (BLOCK, K) of points in the layout of `load_features`."""
    offset = columns[None, :].to(tl.int64) * pitch + points[:, None]
    tl.store(ptr + offset, value, mask=(columns < features)[None, :] & mask[:, None])


@triton.jit
def load_first_weights(w1_ptr, unit, column, features, width):
    """Loads the weights (K, H) of the features in the first layer, transposed."""
    offset = unit[None, :] * width + 3 + column[:, None]
    return tl.load(w1_ptr + offset, mask=(column < features)[:, None] & (unit >= 0)[None, :], other=0.0)


@triton.jit
def load_position_weights(w1_ptr, b1_ptr, unit, width):
    """Loads bias and weights of x, y, z in the first layer (16, H), padded by zeros; the factor of `positions`."""
    slot = tl.arange(0, 16)
    bias = tl.load(b1_ptr + unit[None, :], mask=(slot == 0)[:, None] & (unit >= 0)[None, :], other=0.0)
    address = w1_ptr + unit[None, :] * width + slot[:, None] - 1
    return bias + tl.load(address, mask=((slot > 0) & (slot < 4))[:, None] & (unit >= 0)[None, :], other=0.0)


@triton.jit
def positions(x_ptr, points, mask):
    """Loads (1, x, y, z) of points, padded by zeros: (BLOCK, 16)."""
    slot = tl.arange(0, 16)
    address = x_ptr + 3 * points[:, None] + slot[None, :] - 1
    x = tl.load(address, mask=((slot > 0) & (slot < 4))[None, :] & mask[:, None], other=0.0)
    return tl.where((slot == 0)[None, :] & mask[:, None], 1.0, x)


@triton.jit
def column(values, where):
    """Float16 tile (BLOCK, 16) with values (BLOCK,) in one column and zeros elsewhere."""
    return tl.where((tl.arange(0, 16) == where)[None, :], values[:, None], 0.0).to(tl.float16)


@triton.jit
def gradient_scale(largest_ptr):
    """Factor on gradients that keeps them in the range of float16, from the largest one; 1 if that is 0."""
    largest = tl.load(largest_ptr)
    return tl.where(largest > 0, (1 / largest) * GRADIENT_TARGET, 1.0)
