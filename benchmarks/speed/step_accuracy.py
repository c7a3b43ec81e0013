# SPDX-License-Identifier: MIT
"""Measures the errors of each backend against float64: gradient, Laplacian and the gradients of the weights."""

import torch
from torch import Tensor

from benchmarks.shared.harness import Rows
from fastsdf.field.backends.base import Backend
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import GRID_REACH, FieldSpec, HashGridSDF
from fastsdf.training.adam import Adam, ParameterGroup
from fastsdf.training.backend_kernels import adam_update_for

ACCURACY_COLUMNS = ("implementation", "h", "quantity", "relative_error", "median_error")
INVERSE_STEPS = (64, 256, 1024)  # 1 / h, h in edges of the cube; chosen: coarse, medium and fine
POINTS = 8191  # odd, so that the last block of a kernel is not full
# Chosen: a fit that resembles a distance, in seconds on either device.
FIT_STEPS = {"cuda": 300, "cpu": 60}
FIT_POINTS = {"cuda": 1 << 16, "cpu": 1 << 12}
CENTER, RADIUS = 0.1, 0.5  # of the sphere, unit frame; chosen: off the centre of the cube


def accuracy_rows(rows: Rows, grid: GridSpec, width: int, layers: int, backends: list[Backend], device: str) -> None:
    """Fits the distance to a sphere, |x - c| - r, with the first backend and writes the errors of all backends.

    ``relative_error`` is the norm of the difference divided by the norm of the float64 result; ``median_error`` is the
    median magnitude of the difference divided by the median magnitude of the result. h is in edges of the grid's cube.
    """
    spec = FieldSpec(grid, width, layers, softplus_beta=100.0)
    fitted = fit_sphere(HashGridSDF(spec, backends[0], torch.Generator().manual_seed(1)).to(device))
    exact = twin(fitted, TorchBackend()).double()
    fields = {backend.info.name: twin(fitted, backend) for backend in backends}
    x = (2 * torch.rand(POINTS, 3, generator=torch.Generator().manual_seed(3)) - 1).to(device)
    for inverse in INVERSE_STEPS:
        step = 2 * GRID_REACH / inverse
        expected = derivatives(exact, x.double(), step)
        for name, field in fields.items():
            for quantity, found in derivatives(field, x, step).items():
                norm, median = errors(found, expected[quantity])
                rows.add(
                    implementation=name,
                    h=f"1/{inverse}",
                    quantity=quantity,
                    relative_error=f"{norm:.2e}",
                    median_error=f"{median:.2e}",
                )


def fit_sphere(field: HashGridSDF) -> HashGridSDF:
    """Trains the field for some steps on the distance to a sphere."""
    device = field.table.device
    optimizer = Adam([ParameterGroup(list(field.parameters()), 2e-3)], adam_update_for(field.backend.info))
    generator = torch.Generator(device).manual_seed(4)
    for _ in range(FIT_STEPS[device.type]):
        x = 2 * torch.rand(FIT_POINTS[device.type], 3, device=device, generator=generator) - 1
        distance = (x - CENTER).norm(dim=1) - RADIUS
        loss = (field(x, field.spec.grid.num_levels) - distance).abs().mean()
        optimizer.step(torch.autograd.grad(loss, optimizer.params))
    return field


def twin(field: HashGridSDF, backend: Backend) -> HashGridSDF:
    """A copy of the field that uses another backend."""
    other = HashGridSDF(field.spec, backend, torch.Generator()).to(field.table.device)
    other.load_state_dict(field.state_dict())
    return other


def derivatives(field: HashGridSDF, x: Tensor, step: float) -> dict[str, Tensor]:
    """u, its gradient, its Laplacian, and the gradients of a loss with respect to every weight.

    The loss is the mean of (|grad u| - 1 - h lap u)^2 plus the mean of u^2.
    """
    stencil, _ = field.stencil(x, x[:0], field.spec.grid.num_levels, 1.0, step)
    residual = stencil.gradient.norm(dim=1) - 1 - step * stencil.laplacian
    loss = residual.square().mean() + stencil.sdf.square().mean()
    grads = torch.autograd.grad(loss, list(field.parameters()))
    named = {f"to {name}": grad for (name, _), grad in zip(field.named_parameters(), grads, strict=True)}
    return {**stencil._asdict(), **named}


def errors(found: Tensor, expected: Tensor) -> tuple[float, float]:
    """Relative norm and relative median of the difference between a result and the expected one."""
    difference = found.detach().double() - expected.detach()
    norm = difference.norm() / expected.norm()
    touched = expected[expected != 0].abs()
    return float(norm), float(difference[expected != 0].abs().median() / touched.median())
