# SPDX-License-Identifier: MIT
"""``fastsdf doctor``: shows which devices, backends and file formats work on this machine."""

import importlib.util
import os

import torch

from fastsdf.commands import console as ui
from fastsdf.config.models import FitConfig
from fastsdf.errors import BackendUnavailable, InputError
from fastsdf.field.backends.selection import BACKEND_NAMES, choose_backend, load_backend, why_not
from fastsdf.io.formats.vdb import load_openvdb
from fastsdf.system.device import choose_device
from fastsdf.system.open3d_library import load_open3d
from fastsdf.system.versions import versions

Row = tuple[str, str, str]

_PACKAGES = (  # (name for pip, name for import, use) of each optional or format package
    ("trimesh", "trimesh", "OBJ, STL, GLB, OFF files"),
    ("plyfile", "plyfile", "PLY files"),
    ("laspy", "laspy", "LAS files"),
    ("lazrs", "lazrs", "LAZ files, with laspy"),
    ("pyproj", "pyproj", ".prj files of scans that name an EPSG code"),
    ("pye57", "pye57", "E57 files"),
    ("pillow", "PIL", "folders of depth images"),
    ("usd-core", "pxr", "USD files"),
    ("fast-simplification", "fast_simplification", "'fastsdf mesh --max-faces', large meshes in 'fastsdf view'"),
    ("matplotlib", "matplotlib", "'fastsdf report', 'fastsdf demo', 'fastsdf fit --report'"),
    ("jinja2", "jinja2", "'fastsdf report', 'fastsdf demo', 'fastsdf fit --report'"),
    ("viser", "viser", "'fastsdf view', 'fastsdf fit --view'"),
)


def print_doctor() -> None:
    """Prints the table of `examine`."""
    ui.print_table(ui.make_console(), "fastsdf doctor", examine())


def examine() -> list[Row]:
    """Examines devices, backends and packages; returns table rows (name, state, reason or advice)."""
    device = choose_device("auto")
    backend, reason = choose_backend(FitConfig(), device)
    return [
        ("cpu", f"{os.cpu_count()} cores", f"{torch.get_num_threads()} threads used by torch"),
        *_cuda_rows(),
        *(_backend_row(name, device) for name in BACKEND_NAMES),
        ("automatic choice", f"{backend.info.name} on {device}", reason),
        _open3d_row(),
        *(_package_row(*package) for package in _PACKAGES),
        _openvdb_row(),
        *((f"version of {name}", version, "") for name, version in versions().items()),
    ]


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


def _backend_row(name: str, device: str) -> Row:
    """Row of a backend, which is usable if it runs on the automatic device or the CPU with some setting."""
    try:
        backend = load_backend(name)
    except BackendUnavailable as error:
        return (f"backend {name}", "not usable", str(error))
    info, devices = backend.info, dict.fromkeys((device, "cpu"))
    problems = {d: why_not(info, d, info.dtypes[0], info.max_autograd_order) for d in devices}
    usable = [d for d, problem in problems.items() if not problem]
    if not usable:
        return (f"backend {name}", "not usable", problems[device])
    types = " and ".join(str(d).removeprefix("torch.") for d in info.dtypes)
    orders = f"autograd derivatives up to order {info.max_autograd_order}"
    abilities = f"on {' and '.join(usable)}, {types}, {orders}"
    return (f"backend {name}", "usable", f"{abilities}; {info.note}" if info.note else abilities)


def _open3d_row() -> Row:
    try:
        load_open3d()
    except InputError as error:
        return ("open3d", "not usable", f"{error}; needed for PCD files; 'fastsdf eval' is slower without it")
    return ("open3d", "usable", "PCD files, 'fastsdf eval'")


def _openvdb_row() -> Row:
    try:
        load_openvdb()
    except InputError as error:
        return ("openvdb", "missing", str(error))
    return ("openvdb", "usable", "VDB files")


def _package_row(name: str, module: str, use: str) -> Row:
    if importlib.util.find_spec(module) is None:
        return (name, "missing", f"pip install {name}; needed for {use}")
    return (name, "usable", use)
