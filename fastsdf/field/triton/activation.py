# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Device functions that apply activations to values and to their differences without cancellation of large numbers.

Values are in units in which the activation is simplest: t = z for relu, and t = z beta log2(e) for softplus, which is
then max(t, 0) plus a bump log2(1 + 2^-|t|) of at most 1. The difference of the first part is computed exactly from that
of t. The difference of the bump is that of two bumps, with an error of 1e-7 for any t. All differences are divided by
h; ``half`` is h / 2 in units of t, and ``back`` is 1 / h in units of t.
"""

import triton
import triton.language as tl


@triton.jit
def _bump(t):
    """log2(1 + 2^-|t|), as e P(e) with e = 2^-|t| and the minimax polynomial P of degree 7; the error is below 5e-8."""
    e = tl.exp2(-tl.abs(t))
    p = e * -0.00930914609 + 0.0520589327
    p = p * e - 0.137521243
    p = p * e + 0.24186469
    p = p * e - 0.347301047
    p = p * e + 0.47868369
    p = p * e - 0.721165805
    p = p * e + 1.44268988
    return p * e


@triton.jit
def _rise(t, d, bump, SOFTPLUS: tl.constexpr):
    """act(t + d) - act(t); ``bump`` is `_bump` of t. Where the ramp is linear between both, its rise is exactly d."""
    rise = tl.maximum(d, -t) + tl.minimum(t, 0.0)
    if SOFTPLUS:
        rise += _bump(t + d) - bump
    return rise


@triton.jit
def activate(t, SOFTPLUS: tl.constexpr):
    """act(t) in units of t."""
    if SOFTPLUS:
        return tl.maximum(t, 0.0) + _bump(t)
    else:
        return tl.maximum(t, 0.0)


@triton.jit
def slope(t, SOFTPLUS: tl.constexpr):
    """Derivative act'(t)."""
    if SOFTPLUS:
        e = tl.exp2(-tl.abs(t))
        root = tl.rsqrt(1 + e)
        share = root * root
        return tl.where(t >= 0, share, e * share)
    else:
        return tl.where(t > 0, 1.0, 0.0)


@triton.jit
def activate_differences(t, first, second, half, back, SOFTPLUS: tl.constexpr):
    """First and second difference per h of the activation over the two taps of an axis, from those of its input."""
    bump = _bump(t)
    rise = _rise(t, half * (second + first), bump, SOFTPLUS)
    fall = _rise(t, half * (second - first), bump, SOFTPLUS)
    return back * (rise - fall), back * (rise + fall)


@triton.jit
def activate_differences_backward(t, first, second, grad_first, grad_second, half, SOFTPLUS: tl.constexpr):
    """Gradients of `activate_differences`: h times that of the centre's value, and those of both differences."""
    center = slope(t, SOFTPLUS)
    slope_up, slope_down = slope(t + half * (second + first), SOFTPLUS), slope(t + half * (second - first), SOFTPLUS)
    grad_up, grad_down = grad_second + grad_first, grad_second - grad_first
    to_up, to_down = 0.5 * (grad_up * slope_up), 0.5 * (grad_down * slope_down)
    to_center = grad_up * (slope_up - center) + grad_down * (slope_down - center)
    return to_center, to_up - to_down, to_up + to_down
