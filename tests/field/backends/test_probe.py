# SPDX-License-Identifier: MIT
"""The test of tiny-cuda-nn in a child process, with packages that work, compute wrongly, fail, crash and hang."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fastsdf.commands.doctor import examine
from fastsdf.errors import BackendUnavailable
from fastsdf.field.backends import selection as registry
from fastsdf.field.backends.probe import probe_tiny_cuda_nn
from fastsdf.field.backends.selection import load_backend, select_backend
from fastsdf.field.hash_grid import GridSpec
from tests.helpers.cli_runs import box_room, run, write_scan

CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
FAKE = "from tests.helpers.fake_tinycudann import"
CRASHED = "tinycudann crashed the interpreter (SIGSEGV)"
Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a package tinycudann of this source, found before any other by this process and its children."""
    monkeypatch.syspath_prepend(str(tmp_path))
    probe_tiny_cuda_nn.cache_clear()

    def write(source: str) -> Path:
        package = tmp_path / "tinycudann"
        package.mkdir()
        (package / "__init__.py").write_text(source)
        return tmp_path

    return write


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which torch reports a CUDA device."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def no_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the package triton."""
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in [
        n for n in sys.modules if n == "fastsdf.field.backends.triton_gpu" or n.startswith("fastsdf.field.triton.")
    ]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (f"{FAKE} Encoding", ""),
        (
            f"{FAKE} WrongEncoding as Encoding",
            "tinycudann gives wrong features (off by 0.25 of ",
        ),
        ("raise ImportError('no kernel image')", "tinycudann failed: ImportError: no kernel image"),
        ("raise EnvironmentError('Unknown compute capability.')", "tinycudann failed: OSError: Unknown compute "),
        ("", "tinycudann failed: AttributeError: module 'tinycudann' has no attribute 'Encoding'"),
        ("import os; os._exit(3)", "tinycudann ended the interpreter with exit code 3: no output"),
        (f"print('chatter')\n{FAKE} Encoding", ""),
        (CRASH, CRASHED),
    ],
    ids=["works", "wrong", "no-import", "no-device", "empty", "exits", "talks", "crashes"],
)
def test_what_a_build_does_is_told(install: Install, source: str, problem: str) -> None:
    install(source)
    found = probe_tiny_cuda_nn("cpu")
    assert found.startswith(problem) and bool(found) == bool(problem)


def test_a_build_that_hangs_is_stopped(install: Install) -> None:
    install("import time; time.sleep(60)")
    assert probe_tiny_cuda_nn("cpu", timeout_s=0.5) == "tinycudann gave no answer within 0.5 s"


def test_the_trial_runs_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(CRASH)
    assert probe_tiny_cuda_nn("cpu") == CRASHED
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a second child"))
    assert probe_tiny_cuda_nn("cpu") == CRASHED


@pytest.mark.usefixtures("install", "cuda")
def test_a_missing_package_needs_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert probe_tiny_cuda_nn() == "tinycudann is not installed"


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
def test_without_cuda_there_is_no_trial(install: Install) -> None:
    install(CRASH)
    assert probe_tiny_cuda_nn() == "torch finds no CUDA device"


@pytest.mark.usefixtures("cuda")
def test_asked_for_by_name_a_bad_build_is_an_error(install: Install) -> None:
    install(CRASH)
    with pytest.raises(
        BackendUnavailable, match=r"'tcnn' cannot be loaded .*SIGSEGV.*docs/guides/backends\.md.*--backend torch"
    ):
        select_backend("tcnn", "cuda", torch.float32, 1)


@pytest.mark.usefixtures("cuda", "no_triton")
def test_auto_falls_back_from_a_bad_build_and_says_why(install: Install) -> None:
    install(CRASH)
    backend, reason = select_backend("auto", "cuda", torch.float32, 1)
    assert backend.info.name == "torch"
    assert f"backend 'tcnn' cannot be loaded ({CRASHED})" in reason


@pytest.mark.usefixtures("no_triton")
def test_auto_takes_a_good_build_where_triton_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "probe_tiny_cuda_nn", lambda: "")
    backend, reason = select_backend("auto", "cuda", torch.float32, 1)
    assert backend.info.name == "tcnn"
    assert reason.startswith("fastest usable on cuda; backend 'triton' cannot be loaded (")
    assert load_backend("tcnn").info.name == "tcnn"


@pytest.mark.usefixtures("no_triton")
def test_auto_passes_it_over_for_a_grid_that_it_lays_out_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "probe_tiny_cuda_nn", lambda: "")
    grid = GridSpec(20, 8, log2_table_size=14, base_resolution=16, finest_resolution=512)
    backend, reason = select_backend("auto", "cuda", torch.float32, 1, grid)
    assert backend.info.name == "torch"
    assert "backend 'tcnn' evaluates 128 features at most, not 20 levels of 8" in reason


@pytest.mark.parametrize(
    ("device_type", "dtype", "order", "problem"),
    [
        ("cpu", torch.float32, 1, "runs on cuda, not on cpu"),
        ("cuda", torch.float64, 1, "computes in float32, not in float64"),
        ("cuda", torch.float32, 3, "has autograd derivatives up to order 1, not 3"),
    ],
)
@pytest.mark.usefixtures("cuda")
def test_what_it_cannot_do_is_refused_untried(
    install: Install, device_type: str, dtype: torch.dtype, order: int, problem: str
) -> None:
    """A Laplacian by autograd (order 3) above all: tiny-cuda-nn's would be wrong without an error."""
    install(CRASH)
    with pytest.raises(BackendUnavailable, match=f"'tcnn' {problem}; use --backend auto or --backend torch"):
        select_backend("tcnn", device_type, dtype, order)


@pytest.mark.usefixtures("cuda")
def test_doctor_tells_of_a_crash(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastsdf.commands.doctor.choose_device", lambda name: "cpu")
    monkeypatch.setattr("fastsdf.commands.doctor._cuda_rows", list)
    install(CRASH)
    rows = {name: (state, why) for name, state, why in examine()}
    assert rows["backend tcnn"][0] == "not usable"
    assert CRASHED in rows["backend tcnn"][1]


def test_doctor_tells_what_a_good_build_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "probe_tiny_cuda_nn", lambda: "")
    monkeypatch.setattr("fastsdf.commands.doctor.choose_backend", lambda config, device: (load_backend("torch"), ""))
    monkeypatch.setattr("fastsdf.commands.doctor.choose_device", lambda name: "cuda")
    rows = {name: (state, why) for name, state, why in examine()}
    state, why = rows["backend tcnn"]
    assert state == "usable"
    assert why.startswith("on cuda, float32, autograd derivatives up to order 1; encoding in float32")


def test_the_command_line_says_it_in_one_line(install: Install, tmp_path: Path) -> None:
    """In a process that believes the backend to run on its CPU, so that nothing but the trial can refuse it."""
    package = install(CRASH)
    before = f"""
import sys, torch, dataclasses
sys.path.insert(0, {str(package)!r})
torch.cuda.is_available = lambda: True
from fastsdf.field.backends.tiny_cuda_nn import TinyCudaNNBackend as B
B.info = dataclasses.replace(B.info, devices=("cpu",))
"""
    scan = write_scan(tmp_path, box_room(500))
    done = run("fit", scan, "-o", tmp_path / "run", "--backend", "tcnn", "--device", "cpu", before=before)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "backend 'tcnn' cannot be loaded (tinycudann crashed" in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()
