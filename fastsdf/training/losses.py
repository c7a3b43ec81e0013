# SPDX-License-Identifier: MIT
"""Loss terms of a viscous eikonal fit as pure functions (ViscoReg, arXiv 2507.00412, and the SIREN family).

Every term is a mean over its own points with its own named weight, so that no weight changes when eps reaches 0. (The
reference code of the paper takes one mean over surface and off-surface points together once eps is 0, which halves
the eikonal weight there; here it stays.)
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fastsdf.config.models import ViscosityConfig
from fastsdf.field.finite_differences import Stencil

TERMS: tuple[str, ...] = ("surface", "inter", "eikonal_off_surface", "eikonal_surface", "normal", "near")


class LossInputs(NamedTuple):
    """What the terms compare the field with, for points in the order surface, near, uniform.

    Rows may lie apart, the three numbers of a normal not.

    Attributes:
        normals, confidence: (s, 3) and (s,) of the surface points; the length of a normal is its weight.
        near_lower, near_upper, near_confidence: (m,) of the near points.
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
    """mean exp(-sharpness |u|): keeps the zero set away from off-surface points (SIREN, arXiv 2006.09661, eq. 6)."""
    return torch.exp(-sharpness * sdf.abs()).mean()


def normal_loss(gradient: Tensor, normals: Tensor, confidence: Tensor) -> Tensor:
    """mean |n| (c (1 - cos) + (1 - c) (1 - |cos|)) between grad u and normals n, both (n, 3).

    ``confidence`` c (n,) in [0, 1] says how sure it is that a normal points into the air, its length how sure its axis
    is (SIREN, arXiv 2006.09661, eq. 6, has 1 for both).
    """
    cosine = functional.cosine_similarity(gradient, normals, dim=-1)
    return (normals.norm(dim=-1) * (1.0 - confidence * cosine - (1.0 - confidence) * cosine.abs())).mean()


def near_loss(sdf: Tensor, lower: Tensor, upper: Tensor, confidence: Tensor) -> Tensor:
    """mean c |u - [l, r]|: how far u (n,) near the surface is from the interval that its signed distance lies in."""
    return (confidence * (sdf - torch.minimum(torch.maximum(sdf, lower), upper)).abs()).mean()


def viscous_eikonal_residual(
    stencil: Stencil, epsilon: float | Tensor, config: ViscosityConfig, step: float | Tensor
) -> Tensor:
    """Residual (n,) of the viscous eikonal equation |grad u| = 1 + eps lap u.

    ``uniform``: |grad u| - 1 - eps lap u, as in the paper's code; its vanishing-viscosity limit is positive
    everywhere, so eps must end at 0. ``signed``: eps sign(u) lap u, consistent on both sides, with the smooth sign
    u / sqrt(u^2 + h^2). ``squared_norm`` replaces |grad u| - 1 by |grad u|^2 - 1.

    Args:
        stencil: values at n points.
        epsilon: viscosity, a length in the frame of the points; 0 gives the plain eikonal residual. Like ``step`` a
            number or a tensor of one element.
        config: the form of the residual.
        step: finite-difference step h, the width of the smooth sign.
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
