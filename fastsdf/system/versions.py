# SPDX-License-Identifier: MIT
"""Lists the versions of Python and of the packages that influence results, for run.json."""

import platform
from importlib import metadata

# Packages whose version can change a result or a time.
REPORTED_PACKAGES = ("fastsdf", "torch", "numpy", "scipy", "triton", "tinycudann", "numba", "trimesh", "open3d")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the installed `REPORTED_PACKAGES`."""
    found = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
