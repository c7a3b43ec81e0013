# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Activations on values and on their differences, without cancellation of large numbers: device functions.

softplus(t) is max(t, 0) plus a bump log(1 + e^-|t|) of at most log 2. The difference of the first part is formed from
the difference of t, exactly; that of the bump from two bumps, to 1e-7 whatever t is.
"""

import triton
import triton.language as tl

_LOG2_E = tl.constexpr(1.4426950408889634)
_LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _bump(t):
    """log(1 + e^-|t|)."""
    return tl.log2(1 + tl.exp2(tl.abs(t) * -_LOG2_E)) * _LN_2


@triton.jit
def _relu_rise(z, d):
    """max(z + d, 0) - max(z, 0)."""
    return tl.where(z > 0, tl.maximum(d, -z), tl.maximum(z + d, 0.0))


@triton.jit
def activate(z, beta, SOFTPLUS: tl.constexpr):
    """act(z): softplus(beta z) / beta, or relu."""
    if SOFTPLUS:
        return tl.maximum(z, 0.0) + _bump(beta * z) / beta
    else:
        return tl.maximum(z, 0.0)


@triton.jit
def slope(z, beta, SOFTPLUS: tl.constexpr):
    """act'(z)."""
    if SOFTPLUS:
        e = tl.exp2(tl.abs(beta * z) * -_LOG2_E)
        return tl.where(z >= 0, 1.0, e) / (1 + e)
    else:
        return tl.where(z > 0, 1.0, 0.0)


@triton.jit
def activate_differences(z, first, second, beta, SOFTPLUS: tl.constexpr):
    """First and second difference of act(z) over the two taps of an axis, from those of z."""
    up, down = 0.5 * (second + first), 0.5 * (second - first)
    rise, fall = _relu_rise(z, up), _relu_rise(z, down)
    if SOFTPLUS:
        center = _bump(beta * z)
        rise += (_bump(beta * (z + up)) - center) / beta
        fall += (_bump(beta * (z + down)) - center) / beta
    return rise - fall, rise + fall


@triton.jit
def activate_differences_backward(z, first, second, grad_first, grad_second, beta, SOFTPLUS: tl.constexpr):
    """Gradients of `activate_differences` to z, first and second."""
    up, down = 0.5 * (second + first), 0.5 * (second - first)
    grad_up, grad_down = grad_second + grad_first, grad_second - grad_first
    center = slope(z, beta, SOFTPLUS)
    slope_up, slope_down = slope(z + up, beta, SOFTPLUS), slope(z + down, beta, SOFTPLUS)
    to_z = grad_up * (slope_up - center) + grad_down * (slope_down - center)
    to_up, to_down = grad_up * slope_up, grad_down * slope_down
    return to_z, 0.5 * (to_up - to_down), 0.5 * (to_up + to_down)
