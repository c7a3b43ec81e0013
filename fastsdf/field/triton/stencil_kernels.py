# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
"""Encodes stencils and computes the gradient of the table by Triton: one program per block of points and level."""

import triton
import triton.language as tl

from fastsdf.field.triton.encode import interpolate, spread
from fastsdf.field.triton.grid_lines import four_lines, four_lines_backward
from fastsdf.field.triton.levels import add, entry, faded, locate, strides
from fastsdf.field.triton.tiles import gradient_scale

COUNTS = ("n", "width", "first", "count")  # arguments that change often; specialising would compile again each time


@triton.jit
def _begin(x_ptr, frame_ptr, layout_ptr, fade_ptr, step_ptr, n, pitch, width, first, count,
           F: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Finds the points and the level of a program.

    Returns:
        Mask of the points; their cell indices i, j, k and positions rx, ry, rz within the cells; tap distance in cells;
        resolution, number of entries, first entry and weight of the level; memory offsets (BLOCK, F) of the features,
        and the memory offset from one difference to the next.
    """
    level = tl.program_id(1) + first
    points = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = points < n
    i, j, k, rx, ry, rz, scale, resolution, size, offset = locate(x_ptr, points, mask, frame_ptr, layout_ptr, level)
    reach = tl.load(step_ptr) * scale
    feature = (level * F + tl.arange(0, F)).to(tl.int64)
    feature_offset = feature[None, :] * pitch + points[:, None]
    fade = faded(fade_ptr, level, count)
    return mask, i, j, k, rx, ry, rz, reach, resolution, size, offset, fade, feature_offset, width.to(tl.int64) * pitch


@triton.jit(do_not_specialize=COUNTS)
def forward_kernel(x_ptr, table_ptr, frame_ptr, layout_ptr, fade_ptr, step_ptr, values_ptr, differences_ptr, n,
                   pitch, width, first, count,
             F: tl.constexpr, DENSE: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """See `fastsdf.field.triton.stencil_encode.stencil_forward`."""
    mask, i, j, k, rx, ry, rz, reach, resolution, size, offset, fade, feature_offset, stride = _begin(
        x_ptr, frame_ptr, layout_ptr, fade_ptr, step_ptr, n, pitch, width, first, count, F, BLOCK
    )
    out = differences_ptr + feature_offset
    per_step = fade / tl.load(step_ptr)
    inside = mask[:, None]
    if reach <= 1:
        step_y, step_z = strides(resolution, DENSE)
        y, z = j * step_y, k * step_z
        t000 = entry(table_ptr, i, y, z, size, offset, mask, F, DENSE)
        t100 = entry(table_ptr, i + 1, y, z, size, offset, mask, F, DENSE)
        t010 = entry(table_ptr, i, y + step_y, z, size, offset, mask, F, DENSE)
        t110 = entry(table_ptr, i + 1, y + step_y, z, size, offset, mask, F, DENSE)
        t001 = entry(table_ptr, i, y, z + step_z, size, offset, mask, F, DENSE)
        t101 = entry(table_ptr, i + 1, y, z + step_z, size, offset, mask, F, DENSE)
        t011 = entry(table_ptr, i, y + step_y, z + step_z, size, offset, mask, F, DENSE)
        t111 = entry(table_ptr, i + 1, y + step_y, z + step_z, size, offset, mask, F, DENSE)
        wx, wy = rx[:, None], ry[:, None]
        low = (1 - wy) * (t000 + wx * (t100 - t000)) + wy * (t010 + wx * (t110 - t010))
        high = (1 - wy) * (t001 + wx * (t101 - t001)) + wy * (t011 + wx * (t111 - t011))
        tl.store(values_ptr + feature_offset, fade * (low + rz[:, None] * (high - low)), mask=inside)
        d, s = four_lines(table_ptr, t000, t100, t010, t110, t001, t101, t011, t111, i - 1, i + 2, y, step_y, z,
                           step_z, rx, ry, rz, reach, size, offset, mask, F, DENSE)  # fmt: skip
        tl.store(out, per_step * d, mask=inside)
        tl.store(out + stride, per_step * s, mask=inside)
        d, s = four_lines(table_ptr, t000, t010, t100, t110, t001, t011, t101, t111, y - step_y, y + 2 * step_y, i,
                           1, z, step_z, ry, rx, rz, reach, size, offset, mask, F, DENSE)  # fmt: skip
        tl.store(out + 2 * stride, per_step * d, mask=inside)
        tl.store(out + 3 * stride, per_step * s, mask=inside)
        d, s = four_lines(table_ptr, t000, t001, t100, t101, t010, t011, t110, t111, z - step_z, z + 2 * step_z, i,
                           1, y, step_y, rz, rx, ry, reach, size, offset, mask, F, DENSE)  # fmt: skip
        tl.store(out + 4 * stride, per_step * d, mask=inside)
        tl.store(out + 5 * stride, per_step * s, mask=inside)
    else:
        center = interpolate(table_ptr, i, j, k, rx, ry, rz, resolution, size, offset, mask, F, DENSE)
        tl.store(values_ptr + feature_offset, fade * center, mask=inside)
        for axis in tl.range(3, num_stages=1):
            rise = _tap(table_ptr, i, j, k, rx, ry, rz, reach, axis, resolution, size, offset, mask, F, DENSE) - center
            fall = _tap(table_ptr, i, j, k, rx, ry, rz, -reach, axis, resolution, size, offset, mask, F, DENSE) - center
            tl.store(out + 2 * axis * stride, per_step * (rise - fall), mask=inside)
            tl.store(out + (2 * axis + 1) * stride, per_step * (rise + fall), mask=inside)


@triton.jit
def _shifted(i, r, shift):
    """Cell index and position within the cell after a shift by ``shift`` cells along an axis."""
    cells = tl.floor(r + shift)
    return i + cells.to(tl.int32), r + shift - cells


@triton.jit
def _tap(table_ptr, i, j, k, rx, ry, rz, shift, axis, resolution, size, offset, mask,
         F: tl.constexpr, DENSE: tl.constexpr):  # fmt: skip
    """Features (BLOCK, F) at a tap that is any number of cells away along an axis."""
    i, rx = _shifted(i, rx, tl.where(axis == 0, shift, 0.0))
    j, ry = _shifted(j, ry, tl.where(axis == 1, shift, 0.0))
    k, rz = _shifted(k, rz, tl.where(axis == 2, shift, 0.0))
    return interpolate(table_ptr, i, j, k, rx, ry, rz, resolution, size, offset, mask, F, DENSE)


@triton.jit
def _tap_backward(grad_ptr, value, i, j, k, rx, ry, rz, shift, axis, resolution, size, offset, mask,
                  F: tl.constexpr, DENSE: tl.constexpr):  # fmt: skip
    """Adds the gradient of the table, from the gradient ``value`` of `_tap`'s result."""
    i, rx = _shifted(i, rx, tl.where(axis == 0, shift, 0.0))
    j, ry = _shifted(j, ry, tl.where(axis == 1, shift, 0.0))
    k, rz = _shifted(k, rz, tl.where(axis == 2, shift, 0.0))
    spread(grad_ptr, i, j, k, rx, ry, rz, value, resolution, size, offset, mask, F, DENSE)


@triton.jit(do_not_specialize=COUNTS)
def backward_kernel(x_ptr, values_ptr, differences_ptr, largest_ptr, frame_ptr, layout_ptr, fade_ptr, step_ptr,
                    grad_ptr, n, pitch, width, first, count,
              F: tl.constexpr, DENSE: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """See `fastsdf.field.triton.stencil_encode.stencil_backward`."""
    mask, i, j, k, rx, ry, rz, reach, resolution, size, offset, fade, feature_offset, stride = _begin(
        x_ptr, frame_ptr, layout_ptr, fade_ptr, step_ptr, n, pitch, width, first, count, F, BLOCK
    )
    source = differences_ptr + feature_offset
    inside = mask[:, None]
    unscaled_fade = fade / gradient_scale(largest_ptr)
    per_step = unscaled_fade / tl.load(step_ptr)
    center = unscaled_fade * tl.load(values_ptr + feature_offset, mask=inside, other=0.0)
    dx = per_step * tl.load(source, mask=inside, other=0.0).to(tl.float32)
    sx = per_step * tl.load(source + stride, mask=inside, other=0.0).to(tl.float32)
    dy = per_step * tl.load(source + 2 * stride, mask=inside, other=0.0).to(tl.float32)
    sy = per_step * tl.load(source + 3 * stride, mask=inside, other=0.0).to(tl.float32)
    dz = per_step * tl.load(source + 4 * stride, mask=inside, other=0.0).to(tl.float32)
    sz = per_step * tl.load(source + 5 * stride, mask=inside, other=0.0).to(tl.float32)
    if reach <= 1:
        step_y, step_z = strides(resolution, DENSE)
        y, z = j * step_y, k * step_z
        x000, x100, x010, x110, x001, x101, x011, x111 = four_lines_backward(
            grad_ptr, dx, sx, i - 1, i + 2, y, step_y, z, step_z, rx, ry, rz, reach, size, offset, mask, F, DENSE
        )
        y000, y010, y100, y110, y001, y011, y101, y111 = four_lines_backward(
            grad_ptr, dy, sy, y - step_y, y + 2 * step_y, i, 1, z, step_z, ry, rx, rz, reach, size, offset, mask, F,
            DENSE,
        )  # fmt: skip
        z000, z001, z100, z101, z010, z011, z110, z111 = four_lines_backward(
            grad_ptr, dz, sz, z - step_z, z + 2 * step_z, i, 1, y, step_y, rz, rx, ry, reach, size, offset, mask, F,
            DENSE,
        )  # fmt: skip
        wx, wy, wz = rx[:, None], ry[:, None], rz[:, None]
        v000 = x000 + y000 + z000 + (1 - wx) * (1 - wy) * (1 - wz) * center
        v100 = x100 + y100 + z100 + wx * (1 - wy) * (1 - wz) * center
        v010 = x010 + y010 + z010 + (1 - wx) * wy * (1 - wz) * center
        v110 = x110 + y110 + z110 + wx * wy * (1 - wz) * center
        v001 = x001 + y001 + z001 + (1 - wx) * (1 - wy) * wz * center
        v101 = x101 + y101 + z101 + wx * (1 - wy) * wz * center
        v011 = x011 + y011 + z011 + (1 - wx) * wy * wz * center
        v111 = x111 + y111 + z111 + wx * wy * wz * center
        add(grad_ptr, i, y, z, v000, size, offset, mask, F, DENSE)
        add(grad_ptr, i + 1, y, z, v100, size, offset, mask, F, DENSE)
        add(grad_ptr, i, y + step_y, z, v010, size, offset, mask, F, DENSE)
        add(grad_ptr, i + 1, y + step_y, z, v110, size, offset, mask, F, DENSE)
        add(grad_ptr, i, y, z + step_z, v001, size, offset, mask, F, DENSE)
        add(grad_ptr, i + 1, y, z + step_z, v101, size, offset, mask, F, DENSE)
        add(grad_ptr, i, y + step_y, z + step_z, v011, size, offset, mask, F, DENSE)
        add(grad_ptr, i + 1, y + step_y, z + step_z, v111, size, offset, mask, F, DENSE)
    else:
        center -= 2 * (sx + sy + sz)
        spread(grad_ptr, i, j, k, rx, ry, rz, center, resolution, size, offset, mask, F, DENSE)
        for axis in tl.range(3, num_stages=1):
            d = per_step * tl.load(source + 2 * axis * stride, mask=inside, other=0.0).to(tl.float32)
            s = per_step * tl.load(source + (2 * axis + 1) * stride, mask=inside, other=0.0).to(tl.float32)
            _tap_backward(grad_ptr, s + d, i, j, k, rx, ry, rz, reach, axis, resolution, size, offset, mask, F, DENSE)
            _tap_backward(grad_ptr, s - d, i, j, k, rx, ry, rz, -reach, axis, resolution, size, offset, mask, F, DENSE)
