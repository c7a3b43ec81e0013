# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Evaluates the network on encoded stencils by Triton, with one program per block of points.

The values at the centres pass through the network with float32 precision. The differences over the taps, divided by h,
pass through it as differences: linear layers multiply them in float16, and activations use
`fastsdf.field.triton.activation`. The rounding error of float16 is therefore relative to the difference (3e-4) and not
to the value.
"""

import triton
import triton.language as tl

from fastsdf.field.triton.activation import activate, activate_differences
from fastsdf.field.triton.layers import first_layer, second_layer
from fastsdf.field.triton.tiles import halves, load_axis, load_first_weights, load_position_weights


@triton.jit(do_not_specialize=("n", "features", "width"))
def forward_kernel(
    x_ptr, values_ptr, differences_ptr, w1_ptr, b1_ptr, w2_ptr, b2_ptr, w3_ptr, b3_ptr, step_ptr,
    value_ptr, gradient_ptr, laplacian_ptr, n, pitch, features, width, unit,
    H: tl.constexpr, K: tl.constexpr, TWO: tl.constexpr, SOFTPLUS: tl.constexpr, TAPS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """See `fastsdf.field.triton.network.network_forward`; ``unit`` is the value 1 in the units of the activation."""
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    hidden, feature = tl.arange(0, H), tl.arange(0, K)
    w1, w1_low = halves(load_first_weights(w1_ptr, hidden, feature, features, width))
    wp, wp_low = halves(load_position_weights(w1_ptr, b1_ptr, hidden, width))
    t1, _, _ = first_layer(x_ptr, values_ptr, points, mask, feature, features, pitch, w1, w1_low, wp, wp_low, unit)
    last = t1
    if TWO:
        w2, w2_low = halves(tl.load(w2_ptr + hidden[None, :] * H + hidden[:, None]))
        last, _ = second_layer(t1, w2, w2_low, b2_ptr, hidden, unit, SOFTPLUS)
    w3 = tl.load(w3_ptr + hidden)
    u = tl.sum(activate(last, SOFTPLUS) * w3[None, :], axis=1) / unit + tl.load(b3_ptr)
    tl.store(value_ptr + points, u, mask=mask)
    if TAPS:
        per_h = 1 / tl.load(step_ptr)
        half, back = 0.5 * unit / per_h, per_h / unit
        stride = features.to(tl.int64) * pitch
        total = tl.zeros((BLOCK,), tl.float32)
        next_first, next_second = load_axis(differences_ptr, 0, stride, feature, points, features, pitch, mask)
        for axis in tl.range(3, num_stages=1):
            x_first, x_second = next_first, next_second
            next_first, next_second = load_axis(
                differences_ptr, axis + 1, stride, feature, points, features, pitch, mask
            )
            first = tl.dot(tl.trans(x_first), w1) + 2 * tl.load(w1_ptr + hidden * width + axis)[None, :]
            second = tl.dot(tl.trans(x_second), w1)
            first, second = activate_differences(t1, first, second, half, back, SOFTPLUS)
            if TWO:
                first, second = tl.dot(first.to(tl.float16), w2), tl.dot(second.to(tl.float16), w2)
                first, second = activate_differences(last, first, second, half, back, SOFTPLUS)
            tl.store(gradient_ptr + 3 * points + axis, 0.5 * tl.sum(first * w3[None, :], axis=1), mask=mask)
            total += tl.sum(second * w3[None, :], axis=1)
        tl.store(laplacian_ptr + points, total * per_h, mask=mask)
