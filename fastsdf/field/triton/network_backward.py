# SPDX-License-Identifier: MIT
# pyright: reportPossiblyUnboundVariable=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Computes the backward pass of `fastsdf.field.triton.network_forward`; each program loops over blocks of points.

Only the encoded points are kept from the forward pass, and hidden values are computed again. Gradients are multiplied
by a common scale that maps the largest incoming one to 256, so that float16 products neither overflow nor underflow.
Where the slope of an activation jumps within a stencil, the gradient of a difference is divided by h on its way to the
centre; for small h this larger value determines the scale. Each program adds its part of the weights' gradients once,
at its end.
"""

import triton
import triton.language as tl

from fastsdf.field.triton.activation import activate, activate_differences, activate_differences_backward, slope
from fastsdf.field.triton.layers import first_layer, second_layer
from fastsdf.field.triton.tiles import (
    column,
    gradient_scale,
    halves,
    load_axis,
    load_first_weights,
    load_position_weights,
    store_features,
)

_HEADROOM = tl.constexpr(16.0)  # factor by which gradients divided by h may exceed 256; chosen, far from overflow


@triton.jit
def largest_kernel(value_ptr, gradient_ptr, laplacian_ptr, step_ptr, out_ptr, n, TAPS: tl.constexpr,
                   BLOCK: tl.constexpr):  # fmt: skip
    """Largest magnitude of the incoming gradients; those of differences count per h and as they reach the centre."""
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    largest = tl.abs(tl.load(value_ptr + points, mask=mask, other=0.0))
    if TAPS:
        per_h = 1 / tl.load(step_ptr)
        share = tl.maximum(per_h / _HEADROOM, 1.0)
        for axis in tl.static_range(3):
            gradient = tl.load(gradient_ptr + 3 * points + axis, mask=mask, other=0.0)
            largest = tl.maximum(largest, share * tl.abs(gradient))
        laplacian = tl.load(laplacian_ptr + points, mask=mask, other=0.0)
        largest = tl.maximum(largest, share * per_h * tl.abs(laplacian))
    tl.atomic_max(out_ptr, tl.max(largest, axis=0), sem="relaxed")


@triton.jit(do_not_specialize=("n", "features", "width"))
def backward_kernel(
    x_ptr, values_ptr, differences_ptr, w1_ptr, b1_ptr, w2_ptr, b2_ptr, w3_ptr, b3_ptr, step_ptr,
    grad_value_ptr, grad_gradient_ptr, grad_laplacian_ptr, largest_ptr, to_values_ptr, to_differences_ptr,
    to_w1_ptr, to_b1_ptr, to_w2_ptr, to_b2_ptr, to_w3_ptr, to_b3_ptr, n, pitch, features, width, unit,
    H: tl.constexpr, K: tl.constexpr, TWO: tl.constexpr, SOFTPLUS: tl.constexpr, TAPS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """See `fastsdf.field.triton.network.network_backward`; ``unit`` is the value 1 in the units of the activation."""
    hidden, feature = tl.arange(0, H), tl.arange(0, K)
    w1, w1_low = halves(load_first_weights(w1_ptr, hidden, feature, features, width))
    wp, wp_low = halves(load_position_weights(w1_ptr, b1_ptr, hidden, width))
    per_h, scale = 1 / tl.load(step_ptr), gradient_scale(largest_ptr)
    half, back, per_unit = 0.5 * unit / per_h, per_h / unit, 1 / unit
    stride = features.to(tl.int64) * pitch
    to_w1, to_wp = tl.zeros((H, K), tl.float32), tl.zeros((H, 16), tl.float32)
    to_w3, to_b3 = tl.zeros((BLOCK, H), tl.float32), tl.zeros((BLOCK,), tl.float32)
    if TWO:
        w2, w2_low = halves(tl.load(w2_ptr + hidden[None, :] * H + hidden[:, None]))
        to_w2, to_b2 = tl.zeros((H, H), tl.float32), tl.zeros((BLOCK, H), tl.float32)
    for block in tl.range(tl.program_id(0), tl.cdiv(n, BLOCK), tl.num_programs(0), num_stages=1):
        points = block * BLOCK + tl.arange(0, BLOCK)
        mask = points < n
        t1, x, p = first_layer(x_ptr, values_ptr, points, mask, feature, features, pitch, w1, w1_low, wp, wp_low, unit)
        last = t1
        if TWO:
            last, a = second_layer(t1, w2, w2_low, b2_ptr, hidden, unit, SOFTPLUS)
        grad = scale * tl.load(grad_value_ptr + points, mask=mask, other=0.0)
        to_b3 += grad
        to_w3 += activate(last, SOFTPLUS) * (per_unit * grad)[:, None]
        to_last = grad[:, None] * tl.load(w3_ptr + hidden)[None, :] * slope(last, SOFTPLUS)
        to_z1 = tl.zeros((BLOCK, H), tl.float32)
        if TAPS:
            grad_second = scale * per_h * tl.load(grad_laplacian_ptr + points, mask=mask, other=0.0)
            next_first, next_second = load_axis(differences_ptr, 0, stride, feature, points, features, pitch, mask)
            for axis in tl.range(3, num_stages=1):
                x_first, x_second = next_first, next_second
                next_first, next_second = load_axis(
                    differences_ptr, axis + 1, stride, feature, points, features, pitch, mask
                )
                grad_first = 0.5 * scale * tl.load(grad_gradient_ptr + 3 * points + axis, mask=mask, other=0.0)
                moved = column(tl.where(mask, 2.0, 0.0), axis + 1)
                first_1 = tl.dot(tl.trans(x_first), w1) + tl.dot(moved, wp)
                second_1 = tl.dot(tl.trans(x_second), w1)
                first_2, second_2 = activate_differences(t1, first_1, second_1, half, back, SOFTPLUS)
                w3 = tl.load(w3_ptr + hidden)[None, :]
                to_first, to_second = grad_first[:, None] * w3, grad_second[:, None] * w3
                if TWO:
                    first_2, second_2, to_first, to_second, to_center, added_w2 = _second_layer_backward(
                        first_2, second_2, to_first, to_second, last, w2, half, back, SOFTPLUS
                    )
                    to_last += per_h * to_center
                    to_w2 += added_w2
                to_w3 += grad_first[:, None] * first_2 + grad_second[:, None] * second_2
                to_center, to_first, to_second = activate_differences_backward(
                    t1, first_1, second_1, to_first, to_second, half, SOFTPLUS
                )
                to_z1 += per_h * to_center
                to_half, to_half_second = to_first.to(tl.float16), to_second.to(tl.float16)
                to_wp += tl.dot(tl.trans(to_half), moved)
                to_w1 += tl.dot(tl.trans(to_half), tl.trans(x_first))
                to_w1 += tl.dot(tl.trans(to_half_second), tl.trans(x_second))
                to_x = tl.dot(to_half, tl.trans(w1)).to(tl.float16)
                to_axis_ptr = to_differences_ptr + 2 * axis * stride
                store_features(to_axis_ptr, to_x, feature, points, features, pitch, mask)
                to_x = tl.dot(to_half_second, tl.trans(w1)).to(tl.float16)
                store_features(to_axis_ptr + stride, to_x, feature, points, features, pitch, mask)
        if TWO:
            to_half = to_last.to(tl.float16)
            to_b2 += to_last
            to_w2 += tl.dot(tl.trans(to_half), a)
            to_z1 += tl.dot(to_half, tl.trans(w2)) * slope(t1, SOFTPLUS)
        else:
            to_z1 += to_last
        to_half = to_z1.to(tl.float16)
        to_w1 += tl.dot(tl.trans(to_half), tl.trans(x))
        to_wp += tl.dot(tl.trans(to_half), p)
        store_features(to_values_ptr, tl.dot(to_half, tl.trans(w1)), feature, points, features, pitch, mask)
    unscale = 1 / scale
    _add_first_layer(to_w1_ptr, to_b1_ptr, unscale * to_w1, unscale * to_wp, hidden, feature, features, width)
    tl.atomic_add(to_w3_ptr + hidden, unscale * tl.sum(to_w3, axis=0), sem="relaxed")
    tl.atomic_add(to_b3_ptr, unscale * tl.sum(to_b3, axis=0), sem="relaxed")
    if TWO:
        tl.atomic_add(to_w2_ptr + hidden[:, None] * H + hidden[None, :], unscale * to_w2, sem="relaxed")
        tl.atomic_add(to_b2_ptr + hidden, unscale * tl.sum(to_b2, axis=0), sem="relaxed")


@triton.jit
def _second_layer_backward(first, second, to_first, to_second, last, w2, half, back, SOFTPLUS: tl.constexpr):
    """Second layer on the differences (BLOCK, H) of one axis, forward and backward.

    Returns:
        The differences after the layer; the gradients of the differences before it; h times the gradient of the
        centre's value; the gradient of the weights (H, H).
    """
    first, second = first.to(tl.float16), second.to(tl.float16)
    first_3, second_3 = tl.dot(first, w2), tl.dot(second, w2)
    to_center, to_first, to_second = activate_differences_backward(
        last, first_3, second_3, to_first, to_second, half, SOFTPLUS
    )
    to_half, to_half_second = to_first.to(tl.float16), to_second.to(tl.float16)
    to_w2 = tl.dot(tl.trans(to_half), first) + tl.dot(tl.trans(to_half_second), second)
    to_first, to_second = tl.dot(to_half, tl.trans(w2)), tl.dot(to_half_second, tl.trans(w2))
    first_2, second_2 = activate_differences(last, first_3, second_3, half, back, SOFTPLUS)
    return first_2, second_2, to_first, to_second, to_center, to_w2


@triton.jit
def _add_first_layer(w1_ptr, b1_ptr, to_w1, to_wp, hidden, feature, features, width):
    """Adds the gradients of feature weights (H, K), and of bias and position weights (H, 16), to the first layer's."""
    rows = hidden[:, None] * width
    known = (feature < features)[None, :] & (rows >= 0)
    tl.atomic_add(w1_ptr + rows + 3 + feature[None, :], to_w1, mask=known, sem="relaxed")
    slot = tl.arange(0, 16)
    position = ((slot > 0) & (slot < 4))[None, :] & (rows >= 0)
    tl.atomic_add(w1_ptr + rows + slot[None, :] - 1, to_wp, mask=position, sem="relaxed")
    bias = b1_ptr + hidden[:, None] + 0 * slot[None, :]
    tl.atomic_add(bias, to_wp, mask=(slot == 0)[None, :] & (rows >= 0), sem="relaxed")
