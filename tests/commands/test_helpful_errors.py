# SPDX-License-Identifier: MIT
"""The commonest failures say what to do: a wrong file, no GPU, no memory."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fastsdf.commands import fit as fit_command
from fastsdf.commands import grid as grid_command
from fastsdf.commands import mesh as mesh_command
from fastsdf.commands.console import describe_progress
from fastsdf.commands.fit_memory import memory_warning
from fastsdf.config.loading import load_config
from fastsdf.errors import BackendUnavailable, ConfigError, MemoryExhausted, ScanError
from fastsdf.field.backends.selection import check_machine
from fastsdf.io import read_point_cloud
from fastsdf.io.run_folder import RunFolder
from fastsdf.model import FittedField
from fastsdf.system import memory
from fastsdf.system.device import choose_device
from fastsdf.system.memory import available_bytes
from fastsdf.system.out_of_memory import explained, is_out_of_memory
from fastsdf.training.checkpoint import read_checkpoint
from tests.helpers.cli_runs import box_room, run, write_scan

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" * 40
ROWS = "".join(f"{i} {i % 7} {i % 3}\n" for i in range(200))
SUFFIXES = (".ply", ".las", ".laz", ".e57", ".pcd", ".npy", ".npz", ".xyz", ".pts", ".ptx", ".obj", ".stl", ".glb")
OUT_OF_MEMORY = [
    MemoryError("Unable to allocate 30.0 GiB for an array"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 30.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 32 bytes"),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pdf_is_named_under_every_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(PDF)
    with pytest.raises(ScanError, match=rf"scan\{suffix} is a PDF document: export the scan as PLY, E57 or LAS"):
        read_point_cloud(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ply", b"<!DOCTYPE HTML><html>404</html>", "is a web page: the download failed; download it again"),
        ("a.las", b"\n <html>404</html>", "is a web page"),
        ("a.e57", b"PK\x03\x04" + bytes(50), "is a zip archive: unpack it and name the file in it"),
        ("a.laz", b"\x1f\x8b" + bytes(50), "is a gzip archive: unpack it"),
        ("a.ply", b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS.*: run 'git lfs pull'"),
        ("a.xyz", b"\xff\xd8\xff\xe0" + bytes(50), "is a JPEG picture"),
        ("a.ply", b"LASF" + bytes(400), r"holds LAS data under the suffix '\.ply': rename it to \.las"),
        ("a.las", b"ASTM-E57" + bytes(400), r"holds E57 data under the suffix '\.las': rename it to \.e57"),
        ("a.xyz", b"ply\nformat ascii 1.0\n", r"holds PLY data under the suffix '\.xyz': rename it to \.ply"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\n", "no triangles: export a triangle mesh, or its points as PLY or XYZ"),
        ("a.txt", b"Project: house\nDate: today\nx y z\n" + ROWS.encode(), "'Date: today' is a second one: remove"),
        ("a.txt", b"Dear diary, it rained.\nI went home.\nI slept.\n", "has no rows of numbers: .* or name a PLY"),
        ("a.csv", b"x;y;z\n" + b"0,5;1,5;2,5\n" * 200, "numbers have decimal commas: export it with decimal points"),
    ],
)  # fmt: skip
def test_wrong_files_are_told_apart(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ScanError, match=message):
        read_point_cloud(path)


def test_truncated_and_empty_scans_leave_nothing(tmp_path: Path) -> None:
    whole = write_scan(tmp_path, box_room(500))
    (tmp_path / "cut.ply").write_bytes(whole.read_bytes()[:3000])
    (tmp_path / "empty.ply").write_bytes(b"")
    for name, message in (("cut.ply", "damaged or cut short"), ("empty.ply", "is empty (0 bytes)")):
        done = run("fit", tmp_path / name, "-o", tmp_path / "run")
        assert done.returncode == 2 and message in " ".join(done.stderr.split()), done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_no_gpu_says_why_and_what_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match=r"built without CUDA: pytorch\.org .*\); use --device cpu or auto"):
        choose_device("cuda")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(ConfigError, match=r"'nvidia-smi' tells whether the driver works\); use --device cpu or auto"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["tcnn", "triton"])
def test_backends_of_a_gpu_are_refused_before_any_work(tmp_path: Path, name: str) -> None:
    scan = write_scan(tmp_path, box_room(500))
    with pytest.raises(BackendUnavailable, match=rf"backend '{name}' runs on cuda, not on cpu; use --backend auto"):
        check_machine(load_config(backend=name, device="cpu"))
    done = run("fit", scan, "-o", tmp_path / "run", "--backend", name, "--device", "cpu")
    assert done.returncode == 2 and "points" not in done.stdout and not (tmp_path / "run").exists()


def test_a_missing_tiny_cuda_nn_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastsdf.field.backends import selection as registry

    monkeypatch.setattr(registry, "probe_tiny_cuda_nn", lambda: "tinycudann is not installed")
    with pytest.raises(
        BackendUnavailable, match=r"tinycudann is not installed.*docs/guides/backends\.md.*--backend torch"
    ):
        registry.select_backend("tcnn", "cuda", torch.float32, 1)


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_memory_errors_are_told_from_others(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes do not match")) and not is_out_of_memory(ValueError("memory"))
    message = r"memory ran out while sorting 5 points \(.*allocate.*\); take fewer"
    with pytest.raises(MemoryExhausted, match=message), explained("sorting 5 points", "take fewer"):
        raise error
    with pytest.raises(RuntimeError, match="shapes"), explained("a", "b"):
        raise RuntimeError("shapes do not match")


def raising(error: Exception, after: int = 0):
    """A function that raises from its call number ``after`` on and gives None before."""
    calls = iter(range(10**6))

    def raise_(*_args, **_kwargs):
        if next(calls) >= after:
            raise error

    return raise_


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_fit_without_memory_names_what_is_large_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    scan, out = write_scan(tmp_path, box_room()), tmp_path / "run"
    config = load_config("smoke", device="cpu", training__steps=4, training__warm_start_steps=0)

    def fit() -> None:
        fit_command.fit_scan([scan], out, config, {})

    with monkeypatch.context() as patch:
        patch.setattr(fit_command, "prepare_scan", raising(error))
        with pytest.raises(MemoryExhausted, match=r"while measuring 6,000 points .*thin the scan"):
            fit()
    with monkeypatch.context() as patch:
        patch.setattr(fit_command, "train", raising(error))
        with pytest.raises(
            MemoryExhausted, match=r"training [\d,]+ parameters with 2,048 points a step .*--memory 4GB"
        ):
            fit()
    assert not (out / "checkpoint.pt").exists()
    with monkeypatch.context() as patch:
        patch.setattr(FittedField, "extract_mesh", raising(error))
        with pytest.raises(
            MemoryExhausted, match=r"a mesh with cells of .* the field is saved: 'fastsdf mesh .*--voxel"
        ):
            fit()
    assert read_checkpoint(RunFolder(out).checkpoint)["finished"]
    with monkeypatch.context() as patch:
        patch.setattr(fit_command, "self_accuracy", raising(error))
        with pytest.raises(MemoryExhausted, match=r"checking the surface .*mesh\.ply is written"):
            fit()
    assert (out / "mesh.ply").exists()
    with monkeypatch.context() as patch:
        patch.setattr(FittedField, "extract_mesh", raising(error))
        extraction = mesh_command.mesh_extraction(0.001)
        with pytest.raises(MemoryExhausted, match=r"cells of 0\.001 m .*--voxel-size 0\.002"):
            mesh_command.mesh_run(out, tmp_path / "m.ply", "cpu", extraction, mesh_command.MeshFinish())
        patch.setattr(FittedField, "sample_grid", raising(error))
        with pytest.raises(MemoryExhausted, match=r"a grid of 0\.01 m voxels .*--band"):
            grid_command.grid_run(out, tmp_path / "g.npz", 0.01, None, "cpu")
    assert not (tmp_path / "m.ply").exists() and not (tmp_path / "g.npz").exists()


def test_training_that_runs_out_of_memory_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastsdf.training import loop as training_loop

    scan, out = write_scan(tmp_path, box_room()), tmp_path / "run"
    config = load_config("smoke", device="cpu", training__steps=9, training__warm_start_steps=0)
    step, failing = training_loop.train_step, raising(torch.OutOfMemoryError("CUDA out of memory"), after=5)

    def some_steps(*arguments):
        failing()
        return step(*arguments)

    monkeypatch.setattr(training_loop, "train_step", some_steps)
    with pytest.raises(MemoryExhausted, match="resumes from the last checkpoint"):
        fit_command.fit_scan([scan], out, config, {})
    content = read_checkpoint(RunFolder(out).checkpoint)
    assert content["step"] == 5 and not content["finished"]
    assert np.isfinite(content["weights"]["table"].numpy()).all()


def test_the_command_ends_with_code_1(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room(500))
    before = (
        "import fastsdf.commands.fit as f\n"
        "def fail(*a): raise MemoryError('Unable to allocate 9 GiB')\n"
        "f.prepare_scan = fail"
    )
    done = run("fit", scan, "-o", tmp_path / "run", before=before)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "memory ran out while measuring 500 points" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "raised",
    ['RuntimeError("can\'t allocate memory")', "ImportError('libtorch_cpu.so: failed to map segment')"],
)
def test_memory_that_runs_out_anywhere_is_one_line(tmp_path: Path, raised: str) -> None:
    before = f"import fastsdf.commands.fit as f\ndef fail(*a, **k): raise {raised}\nf.read_point_clouds = fail"
    if raised.startswith("Runtime"):  # between two stages that explain themselves
        before = before.replace("read_point_clouds", "describe_scan")
    done = run("fit", write_scan(tmp_path, box_room(500)), "-o", tmp_path / "run", before=before)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "memory ran out (" in done.stderr and "ulimit -v" in done.stderr


def test_a_progress_line_fits_a_narrow_console() -> None:
    terms = {"surface": 0.012, "eikonal_off_surface": 0.128, "inter": 0.174}
    settings = SimpleNamespace(viscosity=0.0, step_size=0.001, active_levels=12.0)
    progress: Any = SimpleNamespace(terms=terms, settings=settings)
    narrow, wide = describe_progress(progress, 15.0, wide=False), describe_progress(progress, 15.0)
    assert narrow == "|u| 180.00 mm  eik 0.128  levels 12.0" and "h 15.0 mm" in wide
    assert len("training ") + 15 + len("100% ") + len(narrow) + len(" 0:00:00") <= 80


def test_a_scan_that_may_be_too_large_is_told_before_it_is_prepared() -> None:
    assert available_bytes() > 0 and not memory_warning(100_000, 4 * 2.0**30)
    assert "50,000,000 points may take about" in memory_warning(50_000_000, 4 * 2.0**30)
    assert "4.0 GiB are free" in memory_warning(50_000_000, 4 * 2.0**30)


def test_the_limit_of_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used = tmp_path / "limit", tmp_path / "used"
    limit.write_text("1000000\n")
    used.write_text("400000\n")
    monkeypatch.setattr(memory, "CGROUPS", ((str(limit), str(used)), (str(tmp_path / "none"), str(used))))
    assert available_bytes() == 600_000
