# SPDX-License-Identifier: MIT
"""Checks of paths before a file is parsed, and the expansion of patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from fastsdf.errors import InputError, ScanError


def require_file(path: str | Path) -> Path:
    """Check that a path is a non-empty file that can be opened, and return it as a ``Path``.

    Raises:
        ScanError: the path does not exist, is a folder, is not readable, or is empty.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ScanError(f"{path} is a folder: name one file in it")
        with open(path, "rb") as stream:
            first = stream.read(1)
    except FileNotFoundError as error:
        raise ScanError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise ScanError(f"{path} cannot be read (permission denied): change its permissions") from error
    except OSError as error:
        raise ScanError(f"{path} cannot be opened ({error.strerror or error}): check the path and the disk") from error
    if not first:
        raise ScanError(f"{path} is empty (0 bytes): export or copy it again")
    return path


def expand_paths(paths: Sequence[str | Path]) -> list[Path]:
    """Replace patterns (* ? [...]) by the matching files, sorted; existing paths are never taken as patterns.

    Raises:
        InputError: there are no paths, or a file or folder is named twice.
        ScanError: no file matches a pattern.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.exists() or not glob.has_magic(str(path)):
            found.append(path)
            continue
        matching = sorted(map(Path, glob.glob(str(path), recursive=True)))
        if not matching:
            raise ScanError(f"no file matches the pattern {path}: check the path")
        found += matching
    if not found:
        raise InputError("no scan given: name at least one file or folder")
    resolved = [path.resolve() for path in found]
    for index, path in enumerate(resolved):
        if path in resolved[:index]:
            raise InputError(f"{found[index]} is given twice, so its points would be used twice: name it once")
    return found
