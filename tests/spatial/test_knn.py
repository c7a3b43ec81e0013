# SPDX-License-Identifier: MIT
"""The spatial kernels, in Triton's interpreter and on the CPU, against brute force."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch

from fastsdf.numerics.eigen3x3 import jacobi_eigenpair, smallest_eigenpair
from fastsdf.spatial.knn import TreeIndex, point_index
from fastsdf.spatial.morton import morton_grid
from fastsdf.spatial.ray_march import march
from tests.helpers.interpreter import interpreted_by
from tests.helpers.kernel_cases import check_neighbours, clearance_of, neighbour_cases, occupied_voxels, rays

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results of the kernels in the interpreter; see `interpreted_kernels.main`."""
    return interpreted_by("interpreted_kernels", tmp_path_factory.mktemp("kernels"))


@needs_triton
@pytest.mark.parametrize("name", neighbour_cases())
def test_the_box_tree_finds_the_nearest_points(interpreted, name: str) -> None:
    check_neighbours(*neighbour_cases()[name], *interpreted["neighbours"][name])


@pytest.mark.parametrize("name", neighbour_cases())
def test_the_kd_tree_on_the_cpu_finds_the_nearest_points(name: str) -> None:
    points, queries, count = neighbour_cases()[name]
    index = point_index(torch.from_numpy(points))
    assert isinstance(index, TreeIndex)
    check_neighbours(points, queries, count, *index.query(torch.from_numpy(queries), count))


@needs_triton
@pytest.mark.parametrize("name", occupied_voxels())
def test_chessboard_distances_are_those_of_scipy(interpreted, name: str) -> None:
    np.testing.assert_array_equal(interpreted["chessboard"][name].numpy(), clearance_of(occupied_voxels()[name]))


@needs_triton
def test_marched_rays_are_those_of_torch(interpreted) -> None:
    expected = march(*rays(), 15.0)
    assert torch.equal(interpreted["march"], expected)
    assert (expected == 0).any() and (expected == 15).any() and ((expected > 0) & (expected < 15)).any()


def test_morton_order_keeps_neighbours_together() -> None:
    cells = torch.cartesian_prod(*[torch.arange(8.0)] * 3)
    ordered = cells[morton_grid(cells).codes(cells).argsort()]
    assert ((ordered[1:] - ordered[:-1]).abs().sum(1)).mean() < 2.2
    assert len(morton_grid(cells).codes(cells).unique()) == len(cells)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
@pytest.mark.parametrize("find", [smallest_eigenpair, jacobi_eigenpair])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 1e-3), (1, 1, 0), (1, 0, 0), (1, 1e-5, 1e-8), (0, 0, 0)])
def test_smallest_eigenpairs_are_those_of_lapack(
    shape: tuple[float, ...], scale: float, find: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
) -> None:
    rng = np.random.default_rng(2)
    turned = np.linalg.qr(rng.normal(size=(200, 3, 3)))[0]
    around = scale * rng.normal(size=(200, 17, 3)) * shape @ turned
    matrices = around.transpose(0, 2, 1) @ around / 17
    values, vectors = (t.numpy() for t in find(torch.from_numpy(matrices)))
    expected, axes = np.linalg.eigh(matrices)
    size = np.abs(matrices).max((1, 2))
    assert (np.abs(values - expected[:, 0]) <= 4e-15 * size).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-14)
    residual = np.einsum("nij,nj->ni", matrices, vectors) - values[:, None] * vectors
    assert (np.linalg.norm(residual, axis=1) <= 4e-15 * size).all()
    apart = expected[:, 1] - expected[:, 0] > 1e-3 * size
    assert np.abs((axes[:, :, 0] * vectors).sum(1))[apart & (size > 0)] == pytest.approx(1.0, abs=1e-9)


def test_equal_eigenvalues_are_handled() -> None:
    values, vectors = jacobi_eigenpair(2.5 * torch.eye(3, dtype=torch.float64).expand(4, 3, 3))
    assert (values == 2.5).all() and (vectors.norm(dim=1) == 1).all()
