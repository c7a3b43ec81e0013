# SPDX-License-Identifier: MIT
"""Folders that come with fastsdf: inside the package when it is installed, beside it in a checkout."""

from importlib.resources import files
from pathlib import Path


def bundled_folder(name: str) -> Path:
    """The folder ``name`` (configs or data), whether or not it exists."""
    package = Path(str(files("fastsdf")))
    installed = package / name
    return installed if installed.is_dir() else package.parent / name
