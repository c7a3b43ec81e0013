# SPDX-License-Identifier: MIT
"""Trains a field to a start shape in a few cheap steps: air inside the scan's box (room) or around a ball (object)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from fastsdf.field.network import HashGridSDF
from fastsdf.prepare.normalize import BOX_PADDING
from fastsdf.training.adam import Adam, ParameterGroup
from fastsdf.training.backend_kernels import adam_update_for
from fastsdf.training.cuda_graph import CudaGraph

POINTS_PER_STEP = 4096  # chosen
RATE = 2e-3  # learning rate; chosen: low enough to be stable for grid and network alike
OBJECT_RADIUS = 0.5  # unit frame, where the scan fills [-1, 1]^3; chosen


def inverted_box_sdf(x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Signed distance (n,) to the surface of a box, positive inside; points x (n, 3), corners (3,)."""
    q = (x - (lower + upper) / 2).abs() - (upper - lower) / 2
    outside = q.clamp_min(0).norm(dim=-1)
    return -(outside + q.amax(-1).clamp_max(0))


def ball_sdf(x: Tensor, radius: float = OBJECT_RADIUS) -> Tensor:
    """Signed distance (n,) from points x (n, 3) to the surface of a ball at the origin, negative inside."""
    return x.norm(dim=-1) - radius


def start_shape(scene: Literal["room", "object"], lower: Tensor, upper: Tensor) -> Callable[[Tensor], Tensor]:
    """The signed distance function that a fit starts from; lower, upper: (3,) corners of the scan's box, unit frame."""
    if scene == "room":
        return lambda x: inverted_box_sdf(x, lower, upper)
    return ball_sdf


def warm_start(
    field: HashGridSDF,
    target: Callable[[Tensor], Tensor],
    box: tuple[Tensor, Tensor],
    levels: int,
    steps: int,
    generator: torch.Generator,
) -> None:
    """Fits the coarse levels and the network to ``target`` in the padded box, in place (L1 loss, Adam).

    Args:
        field: field to train.
        target: signed distance (n,) at (n, 3) unit-frame points.
        box: lower and upper corners (3,) of the scene on the field's device.
        levels: number of levels to use.
        steps: number of steps; with 0 the field keeps its geometric initialisation.
        generator: random generator of the points, on the field's device.
    """
    lower, upper = box[0] - BOX_PADDING, box[1] + BOX_PADDING
    optimizer = Adam([ParameterGroup(list(field.parameters()), RATE)], adam_update_for(field.backend.info))

    def step() -> Tensor:
        unit = torch.rand((POINTS_PER_STEP, 3), generator=generator, device=lower.device, dtype=lower.dtype)
        x = lower + (upper - lower) * unit
        loss = (field(x, levels) - target(x)).abs().mean()
        optimizer.step(torch.autograd.grad(loss, optimizer.params))
        return loss.detach()

    run = CudaGraph(step, generator) if field.table.is_cuda and field.fuses("central") else step
    for _ in range(steps):
        run()
