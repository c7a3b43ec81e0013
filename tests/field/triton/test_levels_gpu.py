# SPDX-License-Identifier: MIT
"""Tables of more than 2^31 values, which the settings permit: no row number overflows 32 bits."""

import pytest
import torch

from fastsdf.field.backends.selection import load_backend
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec

GRID = GridSpec(num_levels=17, features_per_level=8, log2_table_size=24, base_resolution=300, finest_resolution=2000)


pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_the_last_level_of_a_huge_table_is_read_and_written() -> None:
    assert GRID.num_entries * GRID.features_per_level > 2**31
    if torch.cuda.mem_get_info()[0] < 40 * 2**30:
        pytest.skip("needs 40 GiB of free device memory")
    generator = torch.Generator("cuda").manual_seed(0)
    table = torch.rand((GRID.num_entries, GRID.features_per_level), generator=generator, device="cuda")
    x = torch.rand((1001, 3), generator=generator, device="cuda")
    weights = torch.rand((1001, GRID.num_features), generator=generator, device="cuda")
    results = []
    for backend in (load_backend("triton"), TorchBackend()):
        leaf = table.detach().requires_grad_(True)
        features = backend.encode(x, leaf, GRID, GRID.num_levels)
        (gradient,) = torch.autograd.grad((features * weights).sum(), leaf)
        last = gradient[GRID.offsets[-2] :].clone()
        results.append((features.detach(), last, float(gradient.double().sum())))
        del gradient, features, leaf
    (found, found_last, found_sum), (expected, expected_last, expected_sum) = results
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)  # positions in float32 of up to 2,000 cells
    torch.testing.assert_close(found_last, expected_last, rtol=0, atol=1e-2)
    assert found_sum == pytest.approx(expected_sum, rel=1e-5)
