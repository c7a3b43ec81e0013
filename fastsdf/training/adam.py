# SPDX-License-Identifier: MIT
"""Adam for sparse gradients, with its whole state on the device, so that a step needs nothing from the host.

Kingma & Ba 2015, algorithm 1, except that a value whose gradient is exactly 0 stays as it is, moments included (as in
instant-NGP, Mueller et al. 2022, section 4): a step touches a small part of a large table, and costs as much. Weight
decay is decoupled from the gradient (AdamW, Loshchilov & Hutter 2019), has a strength of its own for each row of a
parameter, and takes hold of touched values only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

MEAN_DECAY = 0.9
SQUARE_DECAY = 0.99
FLOOR = 1e-15


class Moments(NamedTuple):
    """Running means of a parameter's gradient and of its square, with the parameter's shape."""

    mean: Tensor
    square: Tensor


class Pace(NamedTuple):
    """How far a step goes.

    Attributes:
        count: steps taken with this one, a tensor of one element.
        factor: what the rate is multiplied by, a tensor of one element.
        rate: learning rate.
        decay: (n,) weight decay of the n rows of the parameter, or None.
    """

    count: Tensor
    factor: Tensor
    rate: float
    decay: Tensor | None = None


class AdamUpdate(Protocol):
    """One Adam step of one parameter, in place; values with a gradient of 0 stay as they are.

    Args:
        param, grad: the contiguous parameter and its gradient.
        moments: changed too.
        pace: how far to go.
    """

    def __call__(self, param: Tensor, grad: Tensor, moments: Moments, pace: Pace) -> None: ...


def adam_update(param: Tensor, grad: Tensor, moments: Moments, pace: Pace) -> None:
    """See `AdamUpdate`; the reference in torch."""
    count, factor, rate, decay = pace
    touched = grad != 0
    mean = torch.lerp(moments.mean, grad, 1 - MEAN_DECAY)
    square = torch.lerp(moments.square, grad.square(), 1 - SQUARE_DECAY)
    size = (square / (1 - SQUARE_DECAY**count)).sqrt_().add_(FLOOR)
    kept = param if decay is None else param * (1 - rate * factor * decay.view(-1, *(1,) * (param.dim() - 1)))
    moved = kept - mean / size * (rate * factor / (1 - MEAN_DECAY**count))
    for old, new in ((moments.mean, mean), (moments.square, square), (param, moved)):
        old.copy_(torch.where(touched, new, old))


@dataclass
class ParameterGroup:
    """Parameters that share a learning rate, and the weight decay (n,) of their n rows, if any."""

    params: list[Tensor]
    rate: float
    decay: Tensor | None = None


class Adam:
    """Adam over groups of parameters.

    Args:
        groups: parameters and rates.
        update: computes one parameter's step.
    """

    def __init__(self, groups: Sequence[ParameterGroup], update: AdamUpdate = adam_update):
        self.groups = list(groups)
        self._update = update
        self.moments = [Moments(torch.zeros_like(p), torch.zeros_like(p)) for p in self.params]
        self.count = torch.zeros((), dtype=self.params[0].dtype, device=self.params[0].device)

    @property
    def params(self) -> list[Tensor]:
        """All parameters, group by group."""
        return [p for group in self.groups for p in group.params]

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor], factor: float | Tensor = 1.0) -> None:
        """Moves all parameters.

        Args:
            grads: their gradients, in the order of ``params``.
            factor: what the groups' rates are multiplied by; a tensor of one element on the device, or a number.
        """
        self.count += 1
        factor = factor if isinstance(factor, Tensor) else torch.full_like(self.count, factor)
        paces = [Pace(self.count, factor, group.rate, group.decay) for group in self.groups for _ in group.params]
        for param, grad, moments, pace in zip(self.params, grads, self.moments, paces, strict=True):
            self._update(param, grad, moments, pace)

    def state_dict(self) -> dict[str, Any]:
        """Moments and step count, for a checkpoint."""
        return {"count": self.count, "moments": [tuple(m) for m in self.moments]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over a `state_dict` of an optimiser over parameters of the same shapes."""
        self.count.copy_(state["count"])
        for own, saved in zip(self.moments, state["moments"], strict=True):
            own.mean.copy_(saved[0])
            own.square.copy_(saved[1])
