# SPDX-License-Identifier: MIT
"""The real tiny-cuda-nn on a CUDA device against the float64 reference, and a build that crashes there."""

import importlib
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fastsdf.errors import UnsupportedDerivative
from fastsdf.field.backends.probe import compare_with_reference, probe_tiny_cuda_nn
from fastsdf.field.backends.selection import load_backend, select_backend
from fastsdf.field.backends.tiny_cuda_nn import encoding_config, why_not_grid
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec
from tests.helpers.cli_runs import box_room, run, write_scan
from tests.helpers.encoding_cases import encode_and_gradient, points, stencil_points, table_for

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
needs_tinycudann = pytest.mark.skipif(find_spec("tinycudann") is None, reason="tinycudann is not installed")

LEVELS = 12
TOUCHY_GRIDS = [  # dense levels whose scales are whole numbers
    GridSpec(5, 2, log2_table_size=22, base_resolution=8, finest_resolution=128),  # growth 2
    GridSpec(9, 2, log2_table_size=22, base_resolution=8, finest_resolution=128),  # growth sqrt(2)
    GridSpec(5, 2, log2_table_size=20, base_resolution=16, finest_resolution=81),  # growth 1.5
    GridSpec(2, 2, log2_table_size=20, base_resolution=16, finest_resolution=31),
]


def _grid(features: int) -> GridSpec:
    return GridSpec(LEVELS, features, log2_table_size=17, base_resolution=16, finest_resolution=1024)


def _agree(x: Tensor, grid: GridSpec, levels: int) -> None:
    """Against float64, so that the tolerance is that of float32 in the position on the finest level."""
    found = encode_and_gradient(load_backend("tcnn"), x, grid, levels, torch.float32, "cuda")
    expected = encode_and_gradient(TorchBackend(), x, grid, levels, torch.float64, "cuda")
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-3, atol=5e-3)


@needs_tinycudann
def test_this_build_works() -> None:
    assert probe_tiny_cuda_nn() == ""
    assert compare_with_reference("cuda") == ""
    assert select_backend("tcnn", "cuda", torch.float32, 1)[0].info.name == "tcnn"


@needs_tinycudann
@pytest.mark.parametrize("features", [1, 2, 4, 8])
@pytest.mark.parametrize("levels", [1, 5, LEVELS])
def test_it_agrees_with_the_reference(features: int, levels: int) -> None:
    _agree(stencil_points(1171, step=5e-4).clamp(0, 1).float(), _grid(features), levels)


@needs_tinycudann
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 4097])
def test_it_agrees_at_odd_sizes(count: int) -> None:
    _agree(points(count).float(), _grid(2), LEVELS)


@needs_tinycudann
@pytest.mark.parametrize("grid", TOUCHY_GRIDS, ids=str)
def test_it_agrees_where_roundings_decide_the_resolution(grid: GridSpec) -> None:
    assert why_not_grid(grid) == "" and grid.is_dense(grid.num_levels - 1)
    corners = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    _agree(torch.cat([points(5000).float(), corners]), grid, grid.num_levels)


@needs_tinycudann
def test_two_uses_of_one_encoding_keep_their_own_gradients() -> None:
    grid, backend = _grid(2), load_backend("tcnn")
    x = points(600).float().cuda()
    tables = [table_for(grid, seed).float().cuda().requires_grad_(True) for seed in (1, 2)]
    total = torch.stack([backend.encode(x, table, grid, LEVELS).square().sum() for table in tables]).sum()
    both = torch.autograd.grad(total, tables)
    for table, gradient in zip(tables, both, strict=True):
        alone = torch.autograd.grad(backend.encode(x, table, grid, LEVELS).square().sum(), table)[0]
        torch.testing.assert_close(gradient, alone, rtol=1e-3, atol=1e-3)


@needs_tinycudann
def test_it_has_no_derivative_in_the_points() -> None:
    grid = _grid(2)
    x = points(4).float().cuda().requires_grad_(True)
    with pytest.raises(UnsupportedDerivative, match="--backend torch"):
        load_backend("tcnn").encode(x, table_for(grid).float().cuda(), grid, LEVELS)


@needs_tinycudann
def test_its_own_double_backward_leaves_the_grid_out_of_a_laplacian() -> None:
    """Why second derivatives are refused: on smooth features the Laplacian comes without a graph to the table."""
    grid = GridSpec(2, 2, log2_table_size=14, base_resolution=8, finest_resolution=16)
    config = {**encoding_config(grid, 2), "interpolation": "Smoothstep"}
    encoding = importlib.import_module("tinycudann").Encoding(3, config, dtype=torch.float32)
    x = points(256).float().cuda().requires_grad_(True)
    (first,) = torch.autograd.grad(encoding(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), x, create_graph=True)
    assert second.abs().max() > 0
    assert not second.requires_grad


def test_a_build_that_crashes_does_not_take_a_fit_down(tmp_path: Path) -> None:
    package = tmp_path / "tinycudann"
    package.mkdir()
    (package / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    before = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    scan = write_scan(tmp_path, box_room(2000))
    done = run("fit", scan, "-o", tmp_path / "run", "--backend", "tcnn", "--device", "cuda", before=before)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "tinycudann crashed the interpreter (SIGSEGV)" in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


@needs_tinycudann
def test_a_fit_by_name_trains_with_it_and_meshes_with_the_fastest(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room())
    fitted = run("fit", scan, "-o", tmp_path / "run", "--preset", "smoke", "--backend", "tcnn", "--device", "cuda")
    assert fitted.returncode == 0, fitted.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["backend"] == "tcnn"
    meshed = run("mesh", tmp_path / "run", "-o", tmp_path / "a.ply", "--voxel-size", 0.1)
    assert meshed.returncode == 0, meshed.stderr
