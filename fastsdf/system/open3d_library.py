# SPDX-License-Identifier: MIT
"""Imports Open3D, with an error that tells which system packages it needs; no other module imports it."""

from types import ModuleType

from fastsdf.errors import InputError


def load_open3d() -> ModuleType:
    """Imports and returns the module ``open3d``.

    Raises:
        InputError: Open3D is not installed, or a system library that it links to is missing.
    """
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise InputError(
            f"open3d cannot be imported ({error}): pip install open3d; "
            f"on Debian/Ubuntu servers also: apt-get install libusb-1.0-0 libgl1 libgomp1"
        ) from error
    return open3d
