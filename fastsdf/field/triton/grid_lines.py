# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Device functions for differences of features along grid lines, for taps at most one cell away.

Features at all taps of a stencil are interpolated between the grid lines through the corners of the centre's cell, four
lines per axis. Along such a line the features are piecewise linear between up to four nodes. The outer two nodes are
read only if a tap leaves the cell, so 8 to 32 entries are read instead of 56.
"""

import triton
import triton.language as tl

from fastsdf.field.triton.levels import add, entry


@triton.jit
def _overhang(r, reach):
    """Distances, in cells, by which the upper and the lower tap lie outside the cell."""
    return tl.maximum(r + reach - 1, 0.0), tl.maximum(reach - r, 0.0)


@triton.jit
def _line(table_ptr, low, high, before, after, b, c, weight, reach, up, down, size, offset, mask,
          F: tl.constexpr, DENSE: tl.constexpr):  # fmt: skip
    """First and second difference (BLOCK, F) along one grid line, scaled by its weight.

    Args:
        low, high: entries of the line's two nodes at the cell.
        before, after: row terms (`fastsdf.field.triton.levels.entry`) of the outer two nodes along the line.
        b, c: row terms of the line along the other two axes.
        reach: h in cells, at most 1.
        up, down: see `_overhang`.
    """
    entry_before = entry(table_ptr, before, b, c, size, offset, mask & (down > 0), F, DENSE)
    entry_after = entry(table_ptr, after, b, c, size, offset, mask & (up > 0), F, DENSE)
    slope = high - low
    bend_up = up[:, None] * ((entry_after - high) - slope)
    bend_down = down[:, None] * (slope - (low - entry_before))
    return weight[:, None] * (2 * reach * slope + bend_up - bend_down), weight[:, None] * (bend_up + bend_down)


@triton.jit
def _line_backward(grad_ptr, first, second, before, after, b, c, weight, reach, up, down, size, offset, mask,
                   F: tl.constexpr, DENSE: tl.constexpr):  # fmt: skip
    """Gradients of `_line`: adds those of the outer nodes to the table's, and returns those of ``low`` and ``high``."""
    slope = 2 * reach * (weight[:, None] * first)
    bend_up = (weight * up)[:, None] * (second + first)
    bend_down = (weight * down)[:, None] * (second - first)
    add(grad_ptr, before, b, c, bend_down, size, offset, mask & (down > 0), F, DENSE)
    add(grad_ptr, after, b, c, bend_up, size, offset, mask & (up > 0), F, DENSE)
    return bend_up - 2 * bend_down - slope, slope - 2 * bend_up + bend_down


@triton.jit
def four_lines(table_ptr, low00, high00, low10, high10, low01, high01, low11, high11, before, after, b, step_b, c,
                step_c, ra, rb, rc, reach, size, offset, mask, F: tl.constexpr, DENSE: tl.constexpr):  # fmt: skip
    """Differences along an axis a from its four lines; the digits of low and high are offsets along axes b and c."""
    up, down = _overhang(ra, reach)
    d00, s00 = _line(table_ptr, low00, high00, before, after, b, c, (1 - rb) * (1 - rc), reach, up, down, size,
                     offset, mask, F, DENSE)  # fmt: skip
    d10, s10 = _line(table_ptr, low10, high10, before, after, b + step_b, c, rb * (1 - rc), reach, up, down, size,
                     offset, mask, F, DENSE)  # fmt: skip
    d01, s01 = _line(table_ptr, low01, high01, before, after, b, c + step_c, (1 - rb) * rc, reach, up, down, size,
                     offset, mask, F, DENSE)  # fmt: skip
    d11, s11 = _line(table_ptr, low11, high11, before, after, b + step_b, c + step_c, rb * rc, reach, up, down, size,
                     offset, mask, F, DENSE)  # fmt: skip
    return (d00 + d10) + (d01 + d11), (s00 + s10) + (s01 + s11)


@triton.jit
def four_lines_backward(grad_ptr, first, second, before, after, b, step_b, c, step_c, ra, rb, rc, reach, size, offset,
                         mask, F: tl.constexpr, DENSE: tl.constexpr):  # fmt: skip
    """Gradients of `four_lines`' low00, high00, low10, high10, low01, high01, low11, high11."""
    up, down = _overhang(ra, reach)
    l00, h00 = _line_backward(grad_ptr, first, second, before, after, b, c, (1 - rb) * (1 - rc), reach, up, down,
                              size, offset, mask, F, DENSE)  # fmt: skip
    l10, h10 = _line_backward(grad_ptr, first, second, before, after, b + step_b, c, rb * (1 - rc), reach, up, down,
                              size, offset, mask, F, DENSE)  # fmt: skip
    l01, h01 = _line_backward(grad_ptr, first, second, before, after, b, c + step_c, (1 - rb) * rc, reach, up, down,
                              size, offset, mask, F, DENSE)  # fmt: skip
    l11, h11 = _line_backward(grad_ptr, first, second, before, after, b + step_b, c + step_c, rb * rc, reach, up,
                              down, size, offset, mask, F, DENSE)  # fmt: skip
    return l00, h00, l10, h10, l01, h01, l11, h11
