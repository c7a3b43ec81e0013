# SPDX-License-Identifier: MIT
"""On a CUDA device: the Triton encoding against the torch reference, and what ``auto`` takes there."""

import pytest
import torch

from fastsdf.config.models import FitConfig
from fastsdf.field.backends.selection import choose_backend, load_backend
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec
from fastsdf.system.device import choose_device
from tests.helpers.encoding_cases import encode_and_gradient, points, stencil_points

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

COUNT = 4097
LEVELS = 12


def _grid(features: int) -> GridSpec:
    return GridSpec(LEVELS, features, log2_table_size=17, base_resolution=16, finest_resolution=1024)


@pytest.mark.parametrize("features", [1, 2, 4, 8])
@pytest.mark.parametrize("levels", [5, LEVELS])
def test_triton_agrees_with_the_reference(features: int, levels: int) -> None:
    """Against float64, so that the tolerance is that of float32 in the position on the finest level."""
    x, grid = stencil_points(COUNT, step=5e-4).float(), _grid(features)
    found = encode_and_gradient(load_backend("triton"), x, grid, levels, torch.float32, "cuda")
    expected = encode_and_gradient(TorchBackend(), x, grid, levels, torch.float64, "cuda")
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("count", [0, 1, 255, 257])
def test_triton_agrees_at_the_edges_of_a_block(count: int) -> None:
    x, grid = points(count, low=-0.5, high=1.5).float(), _grid(2)
    found = encode_and_gradient(load_backend("triton"), x, grid, LEVELS, torch.float32, "cuda")
    expected = encode_and_gradient(TorchBackend(), x, grid, LEVELS, torch.float32, "cuda")
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-3)


def test_auto_takes_the_device_and_triton() -> None:
    device = choose_device("auto")
    assert device == "cuda"
    assert choose_backend(FitConfig(), device)[0].info.name == "triton"
    assert choose_backend(FitConfig(precision="float64"), device)[0].info.name == "torch"
