# SPDX-License-Identifier: MIT
"""The numba encoding against the torch reference, and the choice of a backend."""

import sys
from collections.abc import Iterator

import numba
import pytest
import torch
from torch import Tensor

from fastsdf.config.models import FitConfig, OperatorsConfig
from fastsdf.errors import BackendUnavailable, UnsupportedDerivative
from fastsdf.field.backends import selection as registry
from fastsdf.field.backends.base import BackendInfo
from fastsdf.field.backends.numba_cpu import NumbaBackend
from fastsdf.field.backends.selection import BACKEND_NAMES, choose_backend, load_backend, select_backend, why_not
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec
from tests.helpers.encoding_cases import encode_and_gradient, grid_with, points, stencil_points, table_for

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-11}
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
SIZES = pytest.mark.parametrize("count", [0, 1, 7, 1000, 4097])


def _agree(x: Tensor, grid: GridSpec, levels: int, dtype: torch.dtype) -> None:
    found = encode_and_gradient(NumbaBackend(), x, grid, levels, dtype)
    expected = encode_and_gradient(TorchBackend(), x, grid, levels, dtype)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@DTYPES
@SIZES
@pytest.mark.parametrize("features", [1, 2, 4, 8])
def test_numba_agrees_with_the_reference(count: int, features: int, dtype: torch.dtype) -> None:
    _agree(points(count), grid_with(features), 5, dtype)


@DTYPES
@SIZES
def test_numba_agrees_outside_the_unit_cube(count: int, dtype: torch.dtype) -> None:
    _agree(points(count, low=-1.5, high=2.5), grid_with(2), 5, dtype)


@DTYPES
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_numba_agrees_with_fewer_levels_active(levels: int, dtype: torch.dtype) -> None:
    grid, x = grid_with(4), points(500)
    _agree(x, grid, levels, dtype)
    _, gradient = encode_and_gradient(NumbaBackend(), x, grid, levels, dtype)
    assert not gradient[grid.offsets[levels] :].any()


@DTYPES
@pytest.mark.parametrize("step", [0.0, 1e-3, 0.02])
def test_numba_agrees_on_the_taps_of_stencils(step: float, dtype: torch.dtype) -> None:
    """Runs of points in one cell, which share the look-up of its corners, also across the kernel's blocks."""
    _agree(stencil_points(200, step), grid_with(2), 5, dtype)
    _agree(points(700, low=0.51, high=0.515), grid_with(2), 5, dtype)


@pytest.fixture
def threads() -> Iterator[None]:
    """Leaves numba's number of threads as it was."""
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


@DTYPES
@pytest.mark.usefixtures("threads")
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread here")
def test_the_number_of_threads_does_not_change_a_bit(dtype: torch.dtype) -> None:
    both = []
    for count in (1, 2):
        numba.set_num_threads(count)
        both.append(encode_and_gradient(NumbaBackend(), stencil_points(585, 2e-3), grid_with(2), 5, dtype))
    assert torch.equal(both[0][0], both[1][0])
    assert torch.equal(both[0][1], both[1][1])


def test_numba_takes_strided_points() -> None:
    x, grid = points(300), grid_with(2)
    strided = x.T.contiguous().T
    assert not strided.is_contiguous()
    table = table_for(grid)
    assert torch.equal(NumbaBackend().encode(strided, table, grid, 5), NumbaBackend().encode(x, table, grid, 5))


def test_numba_has_no_derivative_in_the_points() -> None:
    grid = grid_with(2)
    with pytest.raises(UnsupportedDerivative, match=r"'numba'.*operators\.mode=central or --backend torch"):
        NumbaBackend().encode(points(4).requires_grad_(True), table_for(grid), grid, 5)


def test_auto_takes_the_fastest_that_fits() -> None:
    assert BACKEND_NAMES == ("triton", "tcnn", "numba", "torch")
    assert select_backend("auto", "cpu", torch.float32, 1)[0].info.name == "numba"
    assert select_backend("auto", "cpu", torch.float64, 1)[0].info.name == "numba"
    assert select_backend("auto", "cuda", torch.float64, 1)[0].info.name == "torch"
    assert select_backend("auto", "cpu", torch.float32, 3)[0].info.name == "torch"


def test_auto_takes_triton_on_cuda_in_single_precision() -> None:
    pytest.importorskip("triton")
    backend, reason = select_backend("auto", "cuda", torch.float32, 1)
    assert (backend.info.name, reason) == ("triton", "fastest usable on cuda")


def test_the_reason_names_what_was_passed_over() -> None:
    _, reason = select_backend("auto", "cpu", torch.float32, 3)
    assert reason.startswith("fastest usable on cpu; ")
    assert "backend 'numba' has autograd derivatives up to order 1, not 3" in reason


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the package numba."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "fastsdf.field.backends.numba_cpu")


@pytest.mark.usefixtures("no_numba")
def test_auto_falls_back_when_a_package_is_missing_and_says_so() -> None:
    backend, reason = select_backend("auto", "cpu", torch.float32, 1)
    assert backend.info.name == "torch"
    assert "backend 'numba' cannot be loaded (" in reason


@pytest.mark.usefixtures("no_numba")
def test_a_missing_package_asked_for_by_name_is_an_error_with_advice() -> None:
    with pytest.raises(BackendUnavailable, match=r"'numba' cannot be loaded .*install its package.*--backend torch"):
        select_backend("numba", "cpu", torch.float32, 1)


@pytest.mark.parametrize(
    ("device_type", "dtype", "order", "problem"),
    [
        ("cuda", torch.float32, 1, "runs on cpu, not on cuda"),
        ("cpu", torch.float16, 1, "computes in float32 and float64, not in float16"),
        ("cpu", torch.float32, 3, "has autograd derivatives up to order 1, not 3"),
    ],
)
def test_a_backend_asked_for_by_name_must_fit(device_type: str, dtype: torch.dtype, order: int, problem: str) -> None:
    assert why_not(load_backend("numba").info, device_type, dtype, order) == problem
    with pytest.raises(BackendUnavailable, match=f"'numba' {problem}; use --backend auto or --backend torch"):
        select_backend("numba", device_type, dtype, order)


def test_no_backend_at_all_is_an_error_with_the_reasons() -> None:
    with pytest.raises(BackendUnavailable, match=r"no backend runs on cpu in float16: .*'torch' computes in float32"):
        select_backend("auto", "cpu", torch.float16, 1)


@pytest.mark.parametrize("name", BACKEND_NAMES)
def test_a_backend_goes_by_its_name_and_states_facts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "triton":
        pytest.importorskip("triton")
    if name == "tcnn":
        monkeypatch.setattr(registry, "probe_tiny_cuda_nn", lambda: "")
    info = load_backend(name).info
    assert isinstance(info, BackendInfo)
    assert info.name == name


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (FitConfig(), "numba"),
        (FitConfig(precision="float64"), "numba"),
        (FitConfig(operators=OperatorsConfig(mode="autograd")), "torch"),
        (FitConfig(operators=OperatorsConfig(mode="tetrahedral")), "numba"),
        (FitConfig(backend="torch"), "torch"),
    ],
)
def test_a_fit_gets_the_backend_that_its_settings_need(config: FitConfig, name: str) -> None:
    assert choose_backend(config, "cpu")[0].info.name == name


def test_triton_in_double_precision_is_refused() -> None:
    pytest.importorskip("triton")
    with pytest.raises(BackendUnavailable, match="computes in float32, not in float64"):
        choose_backend(FitConfig(backend="triton", precision="float64"), "cuda:0")
