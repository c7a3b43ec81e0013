# SPDX-License-Identifier: MIT
"""Says what can run on this machine and why the rest cannot."""

import importlib.util
import os

import torch

from fastsdf.runtime import choose_backend, choose_device, versions

Row = tuple[str, str, str]


def examine() -> list[Row]:
    """Rows of (what, state, why or advice): devices, the automatic choice, readers and evaluation, versions."""
    device = choose_device("auto")
    backend, reason = choose_backend("auto", device)
    rows: list[Row] = [("cpu", f"{os.cpu_count()} cores", f"{torch.get_num_threads()} threads used by torch")]
    rows += _cuda_rows()
    rows.append(("backend torch", "usable", "float32 and float64, CPU and CUDA"))
    rows.append(("automatic choice", f"{backend.info.name} on {device}", reason))
    rows += [_package_row(name, use) for name, use in _PACKAGES]
    rows += [(f"version of {name}", version, "") for name, version in versions().items()]
    return rows


_PACKAGES = (
    ("open3d", "PCD files, 'fastsdf eval'"),
    ("trimesh", "OBJ, STL, GLB, OFF files"),
    ("plyfile", "PLY files"),
)


def _cuda_rows() -> list[Row]:
    if torch.version.cuda is None:
        return [("cuda", "not usable", "this torch is a CPU build; install a CUDA build of torch to use a GPU")]
    if not torch.cuda.is_available():
        return [("cuda", "not usable", f"torch for CUDA {torch.version.cuda} found no working GPU or driver")]
    rows = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        rows.append(
            (f"cuda:{index}", torch.cuda.get_device_name(index), f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
        )
    return rows


def _package_row(name: str, use: str) -> Row:
    if importlib.util.find_spec(name) is None:
        return (name, "missing", f"pip install {name}; needed for {use}")
    return (name, "usable", use)
