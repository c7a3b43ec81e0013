# SPDX-License-Identifier: MIT
"""Computes the scheduled values of a step as pure functions of the training progress t in [0, 1]."""

import bisect
import math
from collections.abc import Sequence

from fastsdf.config.training_models import LevelsConfig, RateConfig, ViscosityConfig

Knots = Sequence[tuple[float, float]]

# (progress, viscosity) as in the ViscoReg reference code (arXiv 2507.00412, surface reconstruction scripts), in a frame
# where the scan fills [-1, 1]^3.
PAPER_VISCOSITY: dict[str, Knots] = {
    "shapenet": ((0.0, 1.0), (0.3, 0.25), (0.4, 0.0), (1.0, 0.0)),
    "srb": ((0.0, 0.5), (0.2, 0.4), (0.4, 0.04), (0.6, 0.005), (0.8, 0.0), (1.0, 0.0)),
    "scut": ((0.0, 1.0), (0.6, 0.0), (1.0, 0.0)),
    "scene": ((0.0, 0.5), (0.5, 0.01), (0.6, 0.0), (1.0, 0.0)),
}


def piecewise_linear(t: float, knots: Knots) -> float:
    """Value at progress ``t`` of the linear interpolation between (progress, value) knots; constant outside them."""
    position = bisect.bisect_right([k[0] for k in knots], t)
    if position == 0:
        return knots[0][1]
    if position == len(knots):
        return knots[-1][1]
    (t0, v0), (t1, v1) = knots[position - 1], knots[position]
    return v0 + (v1 - v0) * (t - t0) / (t1 - t0)


def viscosity(t: float, config: ViscosityConfig, step: float) -> float:
    """Viscosity epsilon(t) >= 0, a length in the frame of ``step``.

    The schedule ``tied`` follows the finite-difference step: epsilon = cells * h, which falls linearly to 0 over the
    last part ``fade`` before ``end``. The schedule ``exponential`` is start * 10^(-decades * t). With ``piecewise`` and
    those of the paper, epsilon is a length that does not depend on h. Until ``end`` epsilon is at least
    floor_cells * h; from ``end`` on it is exactly 0.

    Args:
        t: training progress in [0, 1].
        config: the schedule and its parameters.
        step: current finite-difference step h.
    """
    if config.form == "none" or t >= config.end:
        return 0.0
    if config.schedule == "tied":
        value = config.cells * step * min(1.0, (config.end - t) / max(config.fade, 1e-9))
    elif config.schedule == "exponential":
        value = config.start * 10.0 ** (-config.decades * t)
    elif config.schedule == "piecewise":
        value = piecewise_linear(t, config.knots)
    else:
        value = piecewise_linear(t, PAPER_VISCOSITY[config.schedule])
    return max(value, config.floor_cells * step)


def active_levels(t: float, num_levels: int, config: LevelsConfig) -> float:
    """Number of unlocked levels, linear in t from ``first`` to all at ``unlock_end``; fractional while one fades in."""
    first = min(config.first, num_levels)
    assert config.unlock_end is not None
    if config.unlock_end <= 0:
        return float(num_levels)
    return min(float(num_levels), first + (num_levels - first) * t / config.unlock_end)


def rate_factor(t: float, config: RateConfig) -> float:
    """Factor on the learning rates: 1 until ``decay_start``, then half a cosine period down to ``final``."""
    if t <= config.decay_start:
        return 1.0
    phase = (t - config.decay_start) / max(1.0 - config.decay_start, 1e-9)
    return config.final + (1.0 - config.final) * 0.5 * (1.0 + math.cos(math.pi * min(phase, 1.0)))
