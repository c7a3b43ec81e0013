# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Computes all loss terms of a step and their gradients in one pass over the points."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from fastsdf.config.models import LossConfig, ViscosityConfig
from fastsdf.training.losses import TERMS, LossInputs

BLOCK = 256  # points per program; chosen
_TOTAL = tl.constexpr(len(TERMS))  # slot of the weighted total, after those of the terms


class FusedLoss(torch.autograd.Function):
    """(u, grad u, lap u, inputs, weights, viscosity) -> the weighted total (1,) and the terms (6,) of `TERMS`."""

    @staticmethod
    def forward(
        ctx: Any,
        sdf: Tensor,
        gradient: Tensor,
        laplacian: Tensor,
        inputs: LossInputs,
        weights: LossConfig,
        viscosity: ViscosityConfig,
    ) -> tuple[Tensor, Tensor]:
        """See the class; only the total is differentiable."""
        n, surface, near = len(sdf), len(inputs.normals), len(inputs.near_lower)
        out = sdf.new_zeros(len(TERMS) + 1)
        grads = tuple(torch.empty_like(a) for a in (sdf, gradient, laplacian))
        _loss[(triton.cdiv(n, BLOCK),)](
            sdf, gradient, laplacian, inputs.normals, inputs.confidence, inputs.near_lower, inputs.near_upper,
            inputs.near_confidence, inputs.viscosity, inputs.step, *grads, out, n, surface, near,
            *(a.stride(0) for a in inputs[:5]),
            *(float(getattr(weights, name)) for name in TERMS), float(weights.inter_sharpness),
            SIGNED=viscosity.form == "signed", SQUARED=viscosity.residual == "squared_norm", POWER=viscosity.power,
            ON_SURFACE=viscosity.on_surface, BLOCK=BLOCK,
        )  # fmt: skip
        ctx.save_for_backward(*grads)
        terms = out[: len(TERMS)]
        ctx.mark_non_differentiable(terms)
        return out[len(TERMS) :], terms

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """The gradients computed in the forward pass, times the gradient of the total."""
        scaled = torch._foreach_mul(list(ctx.saved_tensors), grads[0].reshape(()))  # pyright: ignore[reportPrivateImportUsage]
        return *scaled, None, None, None


@triton.jit
def _sign(x):
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0))


@triton.jit
def _add(out_ptr, term, values, weight):
    """Adds the block's part of a mean to its term and to the total; a term with weight 0 stays 0."""
    share = tl.where(weight != 0, tl.sum(values, axis=0), 0.0)
    tl.atomic_add(out_ptr + term, share, sem="relaxed")
    tl.atomic_add(out_ptr + _TOTAL, weight * share, sem="relaxed")


@triton.jit(do_not_specialize=("n", "surface", "near"))
def _loss(
    sdf_ptr, gradient_ptr, laplacian_ptr, normal_ptr, confidence_ptr, lower_ptr, upper_ptr, near_confidence_ptr,
    viscosity_ptr, step_ptr, to_sdf_ptr, to_gradient_ptr, to_laplacian_ptr, out_ptr, n, surface, near,
    normal_stride, confidence_stride, lower_stride, upper_stride, near_confidence_stride,
    w_surface, w_inter, w_off, w_on, w_normal, w_near, sharpness,
    SIGNED: tl.constexpr, SQUARED: tl.constexpr, POWER: tl.constexpr, ON_SURFACE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """See `fastsdf.training.losses` for the terms; points are in the order surface, near, uniform.

    ``sharpness`` belongs to the inter term. Gradients of the weighted total are written to the ``to_*`` tensors.
    """
    point = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = point < n
    on, close = point < surface, (point >= surface) & (point < surface + near)
    far = mask & (point >= surface + near)
    share_on, share_off = 1.0 / tl.maximum(surface, 1), 1.0 / tl.maximum(n - surface, 1)
    share_near, share_far = 1.0 / tl.maximum(near, 1), 1.0 / tl.maximum(n - surface - near, 1)
    u = tl.load(sdf_ptr + point, mask=mask, other=0.0)
    gx = tl.load(gradient_ptr + 3 * point, mask=mask, other=0.0)
    gy = tl.load(gradient_ptr + 3 * point + 1, mask=mask, other=0.0)
    gz = tl.load(gradient_ptr + 3 * point + 2, mask=mask, other=0.0)
    lap = tl.load(laplacian_ptr + point, mask=mask, other=0.0)

    _add(out_ptr, 0, tl.where(on, tl.abs(u) * share_on, 0.0), w_surface)
    to_u = tl.where(on, _sign(u) * (w_surface * share_on), 0.0)
    repelled = tl.where(far, tl.exp(-sharpness * tl.abs(u)) * share_far, 0.0)
    _add(out_ptr, 1, repelled, w_inter)
    to_u -= w_inter * sharpness * _sign(u) * repelled
    near_index = tl.maximum(point - surface, 0)
    lower = tl.load(lower_ptr + lower_stride * near_index, mask=close, other=0.0)
    upper = tl.load(upper_ptr + upper_stride * near_index, mask=close, other=0.0)
    error = u - tl.minimum(tl.maximum(u, lower), upper)
    near_confidence = tl.load(near_confidence_ptr + near_confidence_stride * near_index, mask=close, other=0.0)
    near_weight = near_confidence * share_near
    _add(out_ptr, 5, tl.where(close, near_weight * tl.abs(error), 0.0), w_near)
    to_u += tl.where(close, w_near * near_weight * _sign(error), 0.0)

    squared = gx * gx + gy * gy + gz * gz
    norm = tl.sqrt(tl.maximum(squared, 1e-12))
    residual = squared - 1 if SQUARED else norm - 1
    viscous = tl.zeros_like(u) + tl.load(viscosity_ptr)
    if SIGNED:
        h = tl.load(step_ptr)
        viscous *= u / tl.sqrt(u * u + h * h)
    if not ON_SURFACE:
        viscous = tl.where(on, 0.0, viscous)
    residual -= viscous * lap
    size = tl.abs(residual) if POWER == 1 else residual * residual
    to_residual = _sign(residual) if POWER == 1 else 2 * residual
    _add(out_ptr, 2, tl.where(mask & (point >= surface), size * share_off, 0.0), w_off)
    _add(out_ptr, 3, tl.where(on, size * share_on, 0.0), w_on)
    to_residual *= tl.where(on, w_on * share_on, w_off * share_off)
    eikonal_part = 2 * to_residual if SQUARED else tl.where(squared > 1e-12, to_residual / norm, 0.0)

    nx = tl.load(normal_ptr + normal_stride * point, mask=on, other=0.0)
    ny = tl.load(normal_ptr + normal_stride * point + 1, mask=on, other=0.0)
    nz = tl.load(normal_ptr + normal_stride * point + 2, mask=on, other=0.0)
    confidence = tl.load(confidence_ptr + confidence_stride * point, mask=on, other=0.0)
    length = tl.maximum(tl.sqrt(nx * nx + ny * ny + nz * nz), 1e-8)
    inverse = 1 / (tl.maximum(tl.sqrt(squared), 1e-8) * length)
    cosine = (gx * nx + gy * ny + gz * nz) * inverse
    share_on *= length
    misalignment = 1 - confidence * cosine - (1 - confidence) * tl.abs(cosine)
    _add(out_ptr, 4, tl.where(on, misalignment * share_on, 0.0), w_normal)
    to_cosine = -w_normal * share_on * (confidence + (1 - confidence) * _sign(cosine))
    along_gradient = to_cosine * cosine / tl.maximum(squared, 1e-16)
    along_normal = to_cosine * inverse

    tl.store(to_sdf_ptr + point, to_u, mask=mask)
    tl.store(to_laplacian_ptr + point, -to_residual * viscous, mask=mask)
    normal_part = tl.where(on, along_normal * nx - along_gradient * gx, 0.0)
    tl.store(to_gradient_ptr + 3 * point, eikonal_part * gx + normal_part, mask=mask)
    normal_part = tl.where(on, along_normal * ny - along_gradient * gy, 0.0)
    tl.store(to_gradient_ptr + 3 * point + 1, eikonal_part * gy + normal_part, mask=mask)
    normal_part = tl.where(on, along_normal * nz - along_gradient * gz, 0.0)
    tl.store(to_gradient_ptr + 3 * point + 2, eikonal_part * gz + normal_part, mask=mask)
