# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Device functions for the hidden layers at the centres of stencils, with float32 precision."""

import triton
import triton.language as tl

from fastsdf.field.triton.activation import activate
from fastsdf.field.triton.tiles import exact_dot, halves, load_features, positions


@triton.jit
def first_layer(x_ptr, values_ptr, points, mask, feature, features, pitch, w1, w1_low, wp, wp_low, unit):
    """Input of the first activation (BLOCK, H) in its units, from features and positions.

    Also returns the features (K, BLOCK) and positions (BLOCK, 16), rounded to float16, for the backward pass.
    """
    x, x_low = halves(load_features(values_ptr, feature, points, features, pitch, mask))
    p, p_low = halves(positions(x_ptr, points, mask))
    t = unit * (exact_dot(tl.trans(x), tl.trans(x_low), w1, w1_low) + exact_dot(p, p_low, wp, wp_low))
    return t, x, p


@triton.jit
def second_layer(t1, w2, w2_low, b2_ptr, hidden, unit, SOFTPLUS: tl.constexpr):
    """Input of the second activation (BLOCK, H) in its units, and the result of the first, rounded to float16."""
    a, a_low = halves(activate(t1, SOFTPLUS) * (1 / unit))
    return unit * (exact_dot(a, a_low, w2, w2_low) + tl.load(b2_ptr + hidden)[None, :]), a
