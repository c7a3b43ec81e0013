# SPDX-License-Identifier: MIT
"""What ``fastsdf doctor`` says about devices, backends and packages."""

import sys

import pytest
import torch

from fastsdf.commands.doctor import examine

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")


def _table() -> dict[str, tuple[str, str]]:
    rows = examine()
    assert len({name for name, _, _ in rows}) == len(rows)
    return {name: (state, why) for name, state, why in rows}


def test_every_backend_is_listed_with_what_it_can_do() -> None:
    table = _table()
    assert {"backend triton", "backend tcnn", "backend numba", "backend torch"} <= set(table)
    assert table["backend torch"][0] == table["backend numba"][0] == "usable"
    assert table["backend numba"][1] == "on cpu, float32 and float64, autograd derivatives up to order 1"
    assert table["backend torch"][1].endswith("cpu, float32 and float64, autograd derivatives up to order 3")


@without_cuda
def test_triton_without_cuda_says_why_not() -> None:
    pytest.importorskip("triton")
    table = _table()
    assert table["backend triton"] == ("not usable", "runs on cuda, not on cpu")
    assert table["cuda"][0] == "not usable"


@without_cuda
def test_tiny_cuda_nn_without_cuda_says_why_not() -> None:
    state, why = _table()["backend tcnn"]
    assert state == "not usable"
    assert "torch finds no CUDA device" in why and "docs/guides/backends.md" in why


@without_cuda
def test_the_automatic_choice_is_that_of_a_fit() -> None:
    state, why = _table()["automatic choice"]
    assert state == "numba on cpu"
    assert why.startswith("fastest usable on cpu")


def test_a_backend_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "fastsdf.field.backends.numba_cpu", raising=False)
    state, why = _table()["backend numba"]
    assert state == "not usable"
    assert "install its package" in why


def test_a_broken_open3d_is_found_by_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    state, why = _table()["open3d"]
    assert state == "not usable"
    assert "pip install open3d" in why
    assert "needed for PCD files; 'fastsdf eval' is slower" in why


@pytest.mark.usefixtures("open3d")
def test_a_working_open3d_is_usable() -> None:
    assert _table()["open3d"][0] == "usable"
