# SPDX-License-Identifier: MIT
"""The cases of `step.py`: viscous eikonal steps of a field, the kernels of the fused field, whole training steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.loading import load_config
from fastsdf.config.models import FitConfig
from fastsdf.config.resolve import resolve_settings
from fastsdf.field.backends.base import Backend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.field.network import GRID_REACH, FieldSpec, HashGridSDF
from fastsdf.prepare.prepared_scan import SurfacePoints
from fastsdf.system.triton_library import has_triton
from fastsdf.training.adam import Moments, Pace
from fastsdf.training.backend_kernels import adam_update_for
from fastsdf.training.captured_steps import CapturedSteps, can_capture
from fastsdf.training.cuda_graph import CudaGraph
from fastsdf.training.session import new_state
from fastsdf.training.step import step_settings, train_step

Case = tuple[str, Callable[[], Any]]
ROOM_M = (6.0, 5.0, 3.0)  # chosen: a living room
ROOM_POINTS = 300_000  # chosen: as many as the scans of the accuracy benchmark


@dataclass(frozen=True)
class Setting:
    """A field and the points at which it is evaluated.

    Attributes:
        grid: hash grid of the field.
        width, layers: hidden units per layer and hidden layers of its network.
        points: number of points, each with a stencil.
        step: tap distance h, in edges of the grid's cube.
    """

    grid: GridSpec
    width: int
    layers: int
    points: int
    step: float

    @property
    def unit_step(self) -> float:
        """The tap distance h in the unit frame, in which the points are given."""
        return 2 * GRID_REACH * self.step


def make_field(setting: Setting, backend: Backend, device: str) -> HashGridSDF:
    """A field with random table entries in [-0.1, 0.1] and a softplus of the default sharpness."""
    spec = FieldSpec(setting.grid, setting.width, setting.layers, softplus_beta=100.0)
    field = HashGridSDF(spec, backend, torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        field.table.uniform_(-0.1, 0.1, generator=torch.Generator(device).manual_seed(1))
    return field


def draw_points(setting: Setting, device: str) -> Tensor:
    """Random points (n, 3) in the inner 90% of the cube along each axis."""
    unit = torch.rand(setting.points, 3, device=device, generator=torch.Generator(device).manual_seed(2))
    return 0.9 * GRID_REACH * (2 * unit - 1)


def field_cases(setting: Setting, backend: Backend, device: str) -> Iterator[Case]:
    """Yields forward and forward plus backward passes of seven taps and of one, the encoding alone, and Adam alone."""
    field, x = make_field(setting, backend, device), draw_points(setting, device)
    params, h, levels = list(field.parameters()), setting.unit_step, setting.grid.num_levels

    def stencil() -> Any:
        return field.stencil(x, x[:0], levels, 1.0, h)[0]

    def residual() -> Tensor:
        _, gradient, laplacian = stencil()
        return (gradient.norm(dim=1) - 1 - h * laplacian).abs().mean()

    def step(loss: Callable[[], Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss(), params, materialize_grads=True)

    yield "fwd7", without_grad(stencil)
    yield "step7", lambda: step(residual)
    if device.startswith("cuda") and field.fuses("central"):
        yield "step7 graph", CudaGraph(lambda: step(residual)[0], torch.Generator(device))
    yield "fwd1", without_grad(lambda: field(x, levels))
    yield "step1", lambda: step(lambda: field(x, levels).abs().mean())
    offsets = h * torch.cat([torch.zeros(1, 3), torch.eye(3), -torch.eye(3)]).to(device)
    taps = ((x[:, None] + offsets).reshape(-1, 3) / (2 * GRID_REACH) + 0.5).contiguous()
    yield "encode 7 taps one by one", without_grad(lambda: backend.encode(taps, field.table, setting.grid, levels))
    encoded = backend.encode(taps, field.table, setting.grid, levels)
    upstream = torch.ones_like(encoded)
    yield (
        "encode 7 taps one by one, backward",
        lambda: torch.autograd.grad(encoded, field.table, upstream, retain_graph=True),
    )
    yield "adam of the table", adam_case(field, step(residual)[0])


def adam_case(field: HashGridSDF, grad: Tensor) -> Callable[[], None]:
    """A function that makes one optimiser step of the table with a given gradient."""
    table = field.table.detach().clone()
    moments = Moments(torch.zeros_like(table), torch.zeros_like(table))
    one = torch.ones((), device=table.device)
    update = adam_update_for(field.backend.info)
    return lambda: update(table, grad, moments, Pace(one, one, 1e-3))


def kernel_cases(setting: Setting, device: str) -> Iterator[Case]:
    """Yields each kernel of the fused field alone: encoding and network, forward and backward."""
    if not has_triton(torch.device(device)):
        return
    from fastsdf.field.triton.stencil_encode import stencil_backward, stencil_forward

    parts = FusedParts(setting, device)
    geometry = (parts.levels, parts.fade, parts.step)
    to_table = torch.zeros_like(parts.field.table)
    yield (
        "encoding forward",
        lambda: stencil_forward(parts.x, parts.field.table.detach(), *geometry, setting.grid.num_levels),
    )
    yield (
        "encoding backward",
        lambda: stencil_backward(parts.x, parts.to_encoded, parts.one, to_table, *geometry),
    )
    yield "network forward", parts.network_forward
    yield "network backward", parts.network_backward
    yield "zeroed gradient of the table", lambda: torch.zeros_like(parts.field.table)


class FusedParts:
    """The inputs of the fused field's kernels, and both passes of its network with any tile."""

    def __init__(self, setting: Setting, device: str):
        from fastsdf.field.backends.triton_gpu import TritonBackend
        from fastsdf.field.triton import network
        from fastsdf.field.triton.levels import level_table
        from fastsdf.field.triton.stencil_encode import stencil_forward

        self._kernels = network
        self.field, self.x = make_field(setting, TritonBackend(), device), draw_points(setting, device)
        self.levels = level_table(setting.grid, GRID_REACH, 0.0, torch.device(device))
        self.fade, self.one = torch.ones((), device=device), torch.ones(1, device=device)
        self.step = torch.tensor(setting.unit_step, device=device)
        table = self.field.table.detach()
        self.encoded = stencil_forward(self.x, table, self.levels, self.fade, self.step, setting.grid.num_levels)
        self.to_encoded = network.Encoded(*(torch.randn_like(e) for e in self.encoded))
        layers = [p.detach() for layer in self.field.linears for p in (layer.weight, layer.bias)]
        middle = layers[2:-2] or [table.new_zeros(0), table.new_zeros(0)]
        self.network = network.Network(*layers[:2], *middle, *layers[-2:], beta=100.0)
        n = setting.points
        self.grads = (
            torch.randn(n, device=device) / n,
            torch.randn(n, 3, device=device) / n,
            torch.randn(n, device=device) * setting.unit_step / n,
        )

    def network_forward(self, tile: Any = None) -> Any:
        """Runs the forward kernel: u with its gradient and Laplacian."""
        return self._kernels.network_forward(self.x, self.encoded, self.network, self.step, tile)

    def network_backward(self, tile: Any = None) -> Any:
        """Runs the backward kernel: the gradients of the forward pass."""
        return self._kernels.network_backward(self.x, self.encoded, self.network, self.step, self.grads, tile)


def room_config(device: str, backend: Backend) -> FitConfig:
    """The settings that a fit chooses for the synthetic room, with all levels active from the start."""
    settings = ["training.levels.unlock_end=0", "operators.mode=central"]
    config = load_config(None, (), settings, device=device, backend=backend.info.name)
    area = 2 * (ROOM_M[0] * ROOM_M[1] + ROOM_M[1] * ROOM_M[2] + ROOM_M[2] * ROOM_M[0])
    spacing = (area / ROOM_POINTS) ** 0.5
    return resolve_settings(config, spacing_m=spacing, area_m2=area, half_extent_m=max(ROOM_M) / 2, device=device)


def room_surface() -> SurfacePoints:
    """Points on the six sides of a box with the proportions of the room; the normals point inwards."""
    rng = np.random.default_rng(0)
    half = np.array(ROOM_M) / max(ROOM_M)
    side = half.prod() / half
    axis = rng.choice(3, ROOM_POINTS, p=side / side.sum())
    sign, row = rng.choice([-1.0, 1.0], ROOM_POINTS), np.arange(ROOM_POINTS)
    points, normals = rng.uniform(-half, half, (ROOM_POINTS, 3)), np.zeros((ROOM_POINTS, 3))
    points[row, axis], normals[row, axis] = sign * half[axis], -sign
    spacing = np.full(ROOM_POINTS, (8 * side.sum() / ROOM_POINTS) ** 0.5)
    columns = (a.astype(np.float32) for a in (points, normals, np.ones(ROOM_POINTS), spacing, np.ones(ROOM_POINTS)))
    return SurfacePoints(*columns, lower=-half, upper=half)


def room_cases(backend: Backend, device: str) -> Iterator[Case]:
    """Yields whole training steps of the room (sampling, losses, gradients, Adam), eager and as a CUDA graph."""
    config = room_config(device, backend)
    spec = FieldSpec.from_config(config.field, max(ROOM_M) / 2)
    state = new_state(spec, room_surface(), config, backend, device)

    def step() -> None:
        train_step(state, step_settings(state.step, state.field, config), config)
        state.step += 1

    yield "training step", step
    yield "- batch", state.sampler.draw
    if can_capture(state, config):
        captured = CapturedSteps(state, config)

        def replay() -> None:
            captured(state.step)
            state.step += 1

        yield "training step, graph", replay


def without_grad(function: Callable[[], Any]) -> Callable[[], Any]:
    """Wraps a function so that it runs without autograd."""

    def run() -> Any:
        with torch.no_grad():
            return function()

    return run
