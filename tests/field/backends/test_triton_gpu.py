# SPDX-License-Identifier: MIT
"""The Triton kernels in Triton's interpreter, in a process of their own, against the torch reference."""

from importlib.util import find_spec
from typing import Any

import pytest
import torch

from fastsdf.errors import UnsupportedDerivative
from fastsdf.field.backends.torch_reference import TorchBackend
from tests.helpers.encoding_cases import encode_and_gradient, grid_with, points, table_for
from tests.helpers.interpreter import interpreted_by

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int, int], Any]:
    """What the kernels give in the interpreter, by (count, features, levels)."""
    return interpreted_by("interpreted_triton", tmp_path_factory.mktemp("triton"))


@pytest.mark.parametrize("levels", [2, 5])
@pytest.mark.parametrize("features", [2, 4])
@pytest.mark.parametrize("count", [0, 1, 333])
def test_the_kernels_agree_with_the_reference(interpreted, count: int, features: int, levels: int) -> None:
    x = points(count, low=-0.2, high=1.2)
    expected = encode_and_gradient(TorchBackend(), x, grid_with(features), levels, torch.float32)
    for a, b in zip(interpreted[count, features, levels], expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_triton_has_no_derivative_in_the_points() -> None:
    from fastsdf.field.backends.triton_gpu import TritonBackend

    grid = grid_with(2)
    with pytest.raises(UnsupportedDerivative, match=r"'triton'.*operators\.mode=central or --backend torch"):
        TritonBackend().encode(points(4).float().requires_grad_(True), table_for(grid).float(), grid, 5)
