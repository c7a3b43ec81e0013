# SPDX-License-Identifier: MIT
"""Computes the loss terms of a viscous eikonal fit as pure functions (ViscoReg, arXiv 2507.00412, and SIREN).

Every term is a mean over its own points with its own weight, so that no weight changes when the viscosity reaches 0.
(The reference code of ViscoReg then takes one mean over surface and off-surface points together, which halves the
weight of the eikonal term there.)
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fastsdf.config.models import ViscosityConfig
from fastsdf.field.finite_differences import Stencil

# Names of the terms, in the order of the fused kernel.
TERMS: tuple[str, ...] = ("surface", "inter", "eikonal_off_surface", "eikonal_surface", "normal", "near")


class LossInputs(NamedTuple):
    """The data that the terms compare the field with, for points in the order surface, near, uniform.

    Tensors may be strided along their first dimension; the three components of a normal must be contiguous.

    Attributes:
        normals: (s, 3) normals of the surface points; the length of a normal is its weight.
        confidence: (s,) confidence that these normals point into the air, 0 to 1.
        near_lower, near_upper: (m,) interval that contains the signed distance of each near point.
        near_confidence: (m,) confidence in this interval, 0 to 1.
        viscosity: epsilon, a tensor of one element.
        step: finite-difference step h, a tensor of one element.
    """

    normals: Tensor
    confidence: Tensor
    near_lower: Tensor
    near_upper: Tensor
    near_confidence: Tensor
    viscosity: Tensor
    step: Tensor


def surface_loss(sdf: Tensor) -> Tensor:
    """mean |u| over points of the scan; sdf: (n,)."""
    return sdf.abs().mean()


def inter_loss(sdf: Tensor, sharpness: float) -> Tensor:
    """mean exp(-sharpness |u|) over points off the surface, where u must not be 0 (SIREN, arXiv 2006.09661, eq. 6).

    sdf: (n,); sharpness: 1 / unit-frame length.
    """
    return torch.exp(-sharpness * sdf.abs()).mean()


def normal_loss(gradient: Tensor, normals: Tensor, confidence: Tensor) -> Tensor:
    """mean |n| (c (1 - cos) + (1 - c) (1 - |cos|)) between grad u and normals n, both (n, 3).

    ``confidence`` c (n,) in [0, 1] is the confidence that a normal points into the air, and the length of the normal is
    its weight. (In SIREN, arXiv 2006.09661, eq. 6, both are 1.)
    """
    cosine = functional.cosine_similarity(gradient, normals, dim=-1)
    return (normals.norm(dim=-1) * (1.0 - confidence * cosine - (1.0 - confidence) * cosine.abs())).mean()


def near_loss(sdf: Tensor, lower: Tensor, upper: Tensor, confidence: Tensor) -> Tensor:
    """mean c dist(u, [l, r]) near the surface: distance of u from the interval that contains the signed distance.

    Args:
        sdf: (n,) u.
        lower, upper: (n,) bounds l and r.
        confidence: (n,) c, 0 to 1.
    """
    return (confidence * (sdf - torch.minimum(torch.maximum(sdf, lower), upper)).abs()).mean()


def viscous_eikonal_residual(
    stencil: Stencil, epsilon: float | Tensor, config: ViscosityConfig, step: float | Tensor
) -> Tensor:
    """Residual (n,) of the viscous eikonal equation |grad u| = 1 + eps lap u.

    The form ``uniform`` is |grad u| - 1 - eps lap u, as in the reference code of ViscoReg. Its solution for vanishing
    viscosity is positive everywhere, so eps must end at 0. The form ``signed`` has the viscous term eps sign(u) lap u,
    which treats both sides of the surface alike, with the smooth sign u / sqrt(u^2 + h^2). The residual
    ``squared_norm`` replaces |grad u| - 1 by |grad u|^2 - 1.

    Args:
        stencil: u, its gradient and its Laplacian at n points.
        epsilon: viscosity, a length in the frame of the points, as a number or a tensor of one element; 0 gives the
            plain eikonal residual.
        config: the form of the residual.
        step: finite-difference step h, the width of the smooth sign; a number or a tensor of one element.
    """
    squared = stencil.gradient.square().sum(-1)
    residual = squared - 1.0 if config.residual == "squared_norm" else squared.clamp_min(1e-12).sqrt() - 1.0
    if isinstance(epsilon, float) and epsilon == 0.0:
        return residual
    laplacian = stencil.laplacian
    if config.form == "signed":
        sdf = stencil.sdf.detach()
        laplacian = laplacian * sdf / (sdf.square() + step**2).sqrt()
    return residual - epsilon * laplacian


def residual_loss(residual: Tensor, power: int) -> Tensor:
    """mean |r| (power 1) or mean r^2 (power 2)."""
    return residual.abs().mean() if power == 1 else residual.square().mean()
