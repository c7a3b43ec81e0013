# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Launches the kernels of the network, which compute u with its gradient and Laplacian from encoded stencils."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from fastsdf.field.triton.network_backward import backward_kernel, largest_kernel
from fastsdf.field.triton.network_forward import forward_kernel

_LARGEST_BLOCK = 1024  # points per program of the maximum; chosen


@dataclass(frozen=True)
class Tile:
    """How the work of a kernel is divided; it changes the speed, and results by rounding only.

    Attributes:
        block: points that a program processes at once, a power of two and at least 16.
        warps: warps per program.
        per_core: programs per multiprocessor in the backward pass, where each program loops over blocks.
        registers: maximum number of registers per thread; 0 leaves it to the compiler. With fewer registers, more
            programs run at the same time.
    """

    block: int
    warps: int
    per_core: int = 2
    registers: int = 0


def forward_tile(hidden: int, two: bool) -> Tile:
    """The fastest tile of the forward pass, as measured by ``benchmarks/speed/step.py --part tiles``.

    Args:
        hidden: width of the hidden layers.
        two: whether there are two of them.
    """
    return Tile(16, 8) if hidden > 64 else Tile(16, 4, registers=168 if two else 128)


def backward_tile(hidden: int) -> Tile:
    """The fastest tile of the backward pass, measured as that of `forward_tile`."""
    return Tile(16, 8 if hidden > 64 else 4)


class Network(NamedTuple):
    """Weights of a network of one or two hidden layers, and its activation.

    Attributes:
        w1, b1: (h, 3 + features), (h,): from position and features to the first hidden layer.
        w2, b2: (h, h), (h,): from the first to the second hidden layer; empty tensors if there is one layer only.
        w3, b3: (1, h), (1,): from the last hidden layer to u.
        beta: sharpness of the softplus; 0 means relu.
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
    """Features of points, or gradients with respect to them.

    Attributes:
        values: (features, padded n) float32 features at the points.
        differences: (6, features, padded n) float16 first and second differences over the taps along x, y and z,
            divided by h; (0, features, padded n) for points without taps.
    """

    values: Tensor
    differences: Tensor


def network_forward(
    x: Tensor, encoded: Encoded, network: Network, step: Tensor, tile: Tile | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes u (n,), its gradient (n, 3) and Laplacian (n,) at points; the last two are empty without taps.

    Args:
        x: (n, 3) points, the centres of the stencils.
        encoded: their features.
        network: weights of the network.
        step: tap distance h, a tensor of one element.
        tile: used instead of `forward_tile`.
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
    """Computes gradients from those of the three results of `network_forward`.

    Args:
        x, encoded, network, step: as for `network_forward`.
        grads: gradients of u (n,), its gradient (n, 3) and its Laplacian (n,).
        tile: used instead of `backward_tile`.

    Returns:
        The gradient of ``encoded``, multiplied by a scale that keeps it in the range of float16; the largest incoming
        gradient (one element), which determines this scale (`fastsdf.field.triton.tiles.gradient_scale`); the gradients
        of the six weights.
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
    """The value 1 in the units of `fastsdf.field.triton.activation`."""
    return beta * math.log2(math.e) if beta > 0 else 1.0


def _cores(device: torch.device) -> int:
    """Number of multiprocessors of a CUDA device; 1 for others."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
