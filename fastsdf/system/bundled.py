# SPDX-License-Identifier: MIT
"""Finds the folders that come with fastsdf: inside the installed package, or beside it in a checkout."""

from importlib.resources import files
from pathlib import Path


def bundled_folder(name: str) -> Path:
    """Returns the path of the folder ``name`` (configs or data); it may not exist."""
    package = Path(str(files("fastsdf")))
    installed = package / name
    return installed if installed.is_dir() else package.parent / name
