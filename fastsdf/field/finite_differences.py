# SPDX-License-Identifier: MIT
"""Value, gradient and Laplacian of a field, by central taps, tetrahedral taps or autograd.

Central differences (6 taps and the centre) are second order in both outputs. The tetrahedral stencil (4 taps and the
centre, as in Neuralangelo, Li et al. 2023) is first order and 1.4 times cheaper. Trilinear features have zero diagonal
Hessian inside a cell, so an autograd Laplacian sees only the network's curvature: it is here for comparison.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Mode = Literal["central", "tetrahedral", "autograd"]
Field = Callable[[Tensor], Tensor]


class Stencil(NamedTuple):
    """u (n,), its gradient (n, 3) and its Laplacian (n,)."""

    sdf: Tensor
    gradient: Tensor
    laplacian: Tensor


def differentiate(field: Field, x: Tensor, step: float, mode: Mode = "central") -> Stencil:
    """u, grad u and lap u at the same points, all differentiable with respect to the field's parameters.

    Args:
        field: maps (m, 3) points to (m,) values.
        x: (n, 3) points; n may be 0.
        step: tap distance h > 0 in the units of x (unused by ``autograd``).
        mode: ``central``, ``tetrahedral`` or ``autograd``.
    """
    if mode == "central":
        return _central(field, x, step)
    if mode == "tetrahedral":
        return _tetrahedral(field, x, step)
    return _autograd(field, x)


def _taps(field: Field, x: Tensor, offsets: Tensor) -> Tensor:
    """u at the centre (row 0) and at x + offsets (t, 3): (1 + t, n). The taps of a point are evaluated side by side."""
    offsets = torch.cat([torch.zeros_like(offsets[:1]), offsets])
    points = (x[:, None] + offsets).reshape(-1, 3)
    return field(points).reshape(len(x), len(offsets)).T


def _central(field: Field, x: Tensor, step: float) -> Stencil:
    """Taps at x +- h e_i: grad_i = (u_i+ - u_i-) / 2h, lap = sum (u_i+- - u) / h^2."""
    arms = step * torch.eye(3, dtype=x.dtype, device=x.device)
    u = _taps(field, x, torch.cat([arms, -arms]))
    gradient = (u[1:4] - u[4:7]).T / (2 * step)
    laplacian = (u[1:] - u[0]).sum(0) / step**2
    return Stencil(u[0], gradient, laplacian)


def _tetrahedral(field: Field, x: Tensor, step: float) -> Stencil:
    """Taps at x + h/sqrt(3) k_i: grad = sqrt(3)/(4h) sum k_i u_i, lap = 3/(2h^2) sum (u_i - u)."""
    arm = step / math.sqrt(3.0)
    directions = 2 * torch.eye(3, dtype=x.dtype, device=x.device) - 1
    directions = torch.cat([directions, torch.ones_like(directions[:1])])
    u = _taps(field, x, arm * directions)
    gradient = u[1:].T @ directions / (4 * arm)
    laplacian = 1.5 / step**2 * (u[1:] - u[0]).sum(0)
    return Stencil(u[0], gradient, laplacian)


def _autograd(field: Field, x: Tensor) -> Stencil:
    x = x.detach().requires_grad_(True)
    u = field(x)
    (gradient,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    columns = [torch.autograd.grad(gradient[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(3)]
    return Stencil(u, gradient, torch.stack(columns).sum(0))
