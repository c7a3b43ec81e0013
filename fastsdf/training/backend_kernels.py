# SPDX-License-Identifier: MIT
"""Chooses the Adam step and the loss of a backend: its own where it has one, otherwise the references in torch."""

from torch import Tensor

from fastsdf.config.models import LossConfig, ViscosityConfig
from fastsdf.field.backends.base import BackendInfo
from fastsdf.training.adam import AdamUpdate, adam_update
from fastsdf.training.losses import LossInputs


def adam_update_for(info: BackendInfo) -> AdamUpdate:
    """The Adam step of one parameter that belongs to a backend."""
    if info.name == "triton":
        from fastsdf.training.triton.adam import adam_update as on_gpu  # not every machine has triton

        return on_gpu
    if info.name == "numba":
        from fastsdf.training.adam_numba import adam_update as on_cpu  # numba takes a second to import

        return on_cpu
    return adam_update


def fused_losses(
    sdf: Tensor,
    gradient: Tensor,
    laplacian: Tensor,
    inputs: LossInputs,
    weights: LossConfig,
    viscosity: ViscosityConfig,
) -> tuple[Tensor, Tensor]:
    """The loss terms of `fastsdf.training.losses` by one kernel, for surface, near and uniform points in this order.

    Args:
        sdf, gradient, laplacian: the field at all n points, on a CUDA device.
        inputs: the data that the terms compare the field with.
        weights: weights of the terms.
        viscosity: the form of the eikonal residual.

    Returns:
        The weighted total (1,), differentiable once, and the unweighted terms in the order of
        `fastsdf.training.losses.TERMS`. A term over no points is 0, and so is a term with weight 0.
    """
    from fastsdf.training.triton.loss import FusedLoss  # not every machine has triton

    return FusedLoss.apply(sdf, gradient, laplacian, inputs, weights, viscosity)  # pyright: ignore[reportReturnType]
