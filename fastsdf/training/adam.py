# SPDX-License-Identifier: MIT
"""Adam for sparse gradients; its whole state is on the device, so that a step needs no data from the host.

This is algorithm 1 of Kingma & Ba 2015, except that values with a gradient of exactly 0 do not change, nor do their
moments (as in instant-NGP, Mueller et al. 2022, section 4): a step touches only a small part of a large table. Weight
decay is decoupled from the gradient (AdamW, Loshchilov & Hutter 2019), has one strength per row of a parameter, and
also applies to values with a gradient only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

MEAN_DECAY = 0.9  # beta_1 of Adam, as in instant-NGP
SQUARE_DECAY = 0.99  # beta_2 of Adam, as in instant-NGP
FLOOR = 1e-15  # epsilon of Adam, as in instant-NGP; guards against division by zero


class Moments(NamedTuple):
    """Running means of a parameter's gradient and of its square, with the parameter's shape."""

    mean: Tensor
    square: Tensor


class Pace(NamedTuple):
    """The values that determine the size of a step.

    Attributes:
        count: number of this step, from 1; a tensor of one element.
        factor: scheduled factor on the rate, a tensor of one element.
        rate: learning rate.
        decay: (n,) weight decay of the n rows of the parameter, or None.
    """

    count: Tensor
    factor: Tensor
    rate: float
    decay: Tensor | None = None


class AdamUpdate(Protocol):
    """One Adam step of one parameter, in place; values with a gradient of 0 do not change.

    Args:
        param, grad: the contiguous parameter and its gradient.
        moments: of the parameter, updated in place.
        pace: step count, rate and decay.
    """

    def __call__(self, param: Tensor, grad: Tensor, moments: Moments, pace: Pace) -> None: ...


def adam_update(param: Tensor, grad: Tensor, moments: Moments, pace: Pace) -> None:
    """See `AdamUpdate`; the reference implementation in torch."""
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
    """Parameters that share a learning rate, and the weight decay (n,) of their n rows; None: no decay."""

    params: list[Tensor]
    rate: float
    decay: Tensor | None = None


class Adam:
    """Adam over groups of parameters.

    Args:
        groups: parameters and rates.
        update: function that takes one step of one parameter.
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
        """Takes one step with all parameters.

        Args:
            grads: their gradients, in the order of ``params``.
            factor: factor on the rates of all groups; a number, or a tensor of one element on the device.
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
        """Restores a `state_dict` of an optimiser over parameters of the same shapes."""
        self.count.copy_(state["count"])
        for own, saved in zip(self.moments, state["moments"], strict=True):
            own.mean.copy_(saved[0])
            own.square.copy_(saved[1])
