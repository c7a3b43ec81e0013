# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Launches of the network's kernels: u with its gradient and Laplacian from encoded stencils, forward and backward."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from fastsdf.field.triton.network_backward import backward_kernel, largest_kernel
from fastsdf.field.triton.network_forward import forward_kernel

_LARGEST_BLOCK = 1024


@dataclass(frozen=True)
class Tile:
    """How a kernel's work is cut up; results do not depend on it beyond rounding, speed does.

    Attributes:
        block: points that a program takes at once, a power of two and at least 16.
        warps: warps of a program.
        per_core: programs per core of the backward pass, which loops over blocks.
        registers: most registers of a thread, 0: as many as the compiler likes; fewer let more programs run at once.
    """

    block: int
    warps: int
    per_core: int = 2
    registers: int = 0


def forward_tile(hidden: int, two: bool) -> Tile:
    """The tile of the forward pass for hidden layers of a width (by ``benchmarks/speed/step.py --part tiles``)."""
    return Tile(16, 8) if hidden > 64 else Tile(16, 4, registers=168 if two else 128)


def backward_tile(hidden: int) -> Tile:
    """The tile of the backward pass, measured likewise."""
    return Tile(16, 8 if hidden > 64 else 4)


class Network(NamedTuple):
    """Weights of a network of one or two hidden layers, and its activation.

    Attributes:
        w1, b1: (h, 3 + features), (h,): from position and features to the first hidden layer.
        w2, b2: (h, h), (h,): to the second, or empty tensors.
        w3, b3: (1, h), (1,): to u.
        beta: of the softplus; 0: relu.
    """

    w1: Tensor
    b1: Tensor
    w2: Tensor
    b2: Tensor
    w3: Tensor
    b3: Tensor
    beta: float

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The six weights."""
        return self[:6]


class Encoded(NamedTuple):
    """Features of points, or gradients to them.

    Attributes:
        values: (features, padded n) float32, at the points.
        differences: (6, features, padded n) float16: first and second differences over the taps along x, y and z,
            divided by h; (0, features, padded n) for points without taps.
    """

    values: Tensor
    differences: Tensor


def network_forward(
    x: Tensor, encoded: Encoded, network: Network, step: Tensor, tile: Tile | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """u (n,), gradient (n, 3) and Laplacian (n,) at points x (n, 3); the last two are empty without taps.

    Args:
        x: the centres.
        encoded: their features.
        network: its weights.
        step: tap distance h, a tensor of one element.
        tile: another than `forward_tile`.
    """
    n = len(x)
    tapped = n if len(encoded.differences) else 0
    value, gradient, laplacian = x.new_empty(n), x.new_empty((tapped, 3)), x.new_empty(tapped)
    if n:
        tile = tile or forward_tile(len(network.b1), len(network.b2) > 0)
        forward_kernel[(triton.cdiv(n, tile.block),)](
            x, *encoded, *network.tensors, step, value, gradient, laplacian, n, encoded.values.shape[1],
            len(encoded.values), network.w1.shape[1], _unit(network.beta),
            **_sizes(encoded, network, tile),
        )  # fmt: skip
    return value, gradient, laplacian


def network_backward(
    x: Tensor,
    encoded: Encoded,
    network: Network,
    step: Tensor,
    grads: tuple[Tensor, Tensor, Tensor],
    tile: Tile | None = None,
) -> tuple[Encoded, Tensor, list[Tensor]]:
    """Gradients of `network_forward`'s three results.

    Returns:
        The gradient to ``encoded``, times a scale that keeps it in float16's range; that scale (one element); the
        gradients to the six weights.
    """
    to_encoded = Encoded(*(torch.empty_like(e) for e in encoded))
    sizes = [w.numel() for w in network.tensors]
    *flat, largest = x.new_zeros(sum(sizes) + 1).split([*sizes, 1])
    to_weights = [a.view_as(w) for a, w in zip(flat, network.tensors, strict=True)]
    if len(x):
        tapped = len(encoded.differences) > 0
        launch = (triton.cdiv(len(x), _LARGEST_BLOCK),)
        largest_kernel[launch](*grads, step, largest, len(x), tapped, _LARGEST_BLOCK)
        tile = tile or backward_tile(len(network.b1))
        programs = min(triton.cdiv(len(x), tile.block), tile.per_core * _cores(x.device))
        backward_kernel[(programs,)](
            x, *encoded, *network.tensors, step, *grads, largest, *to_encoded, *to_weights, len(x),
            encoded.values.shape[1], len(encoded.values), network.w1.shape[1], _unit(network.beta),
            **_sizes(encoded, network, tile),
        )  # fmt: skip
    return to_encoded, largest, to_weights


def _sizes(encoded: Encoded, network: Network, tile: Tile) -> dict[str, Any]:
    """Compile-time sizes and launch options."""
    return {
        "H": len(network.b1),
        "K": max(triton.next_power_of_2(network.w1.shape[1] - 3), 16),
        "TWO": len(network.b2) > 0,
        "SOFTPLUS": network.beta > 0,
        "TAPS": len(encoded.differences) > 0,
        "BLOCK": tile.block,
        "num_warps": tile.warps,
        **({"maxnreg": tile.registers} if tile.registers else {}),
    }


def _unit(beta: float) -> float:
    """1 in units of `fastsdf.field.triton.activation`."""
    return beta * math.log2(math.e) if beta > 0 else 1.0


def _cores(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
