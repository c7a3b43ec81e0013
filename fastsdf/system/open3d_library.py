# SPDX-License-Identifier: MIT
"""The only place that imports Open3D, whose shared library needs system packages that a bare server lacks."""

from types import ModuleType

from fastsdf.errors import InputError


def load_open3d() -> ModuleType:
    """The module ``open3d``, imported on the first call.

    Raises:
        InputError: if it is not installed or a system library that it links to is missing.
    """
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise InputError(
            f"open3d cannot be imported ({error}): pip install open3d; "
            f"on Debian/Ubuntu servers also: apt-get install libusb-1.0-0 libgl1 libgomp1"
        ) from error
    return open3d
