# SPDX-License-Identifier: MIT
"""Versions of Python and of the packages that shape a result, for the run's report."""

import platform
from importlib import metadata

REPORTED_PACKAGES = ("fastsdf", "torch", "numpy", "scipy", "triton", "tinycudann", "numba", "trimesh", "open3d")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result."""
    found = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
