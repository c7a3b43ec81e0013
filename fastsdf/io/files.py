# SPDX-License-Identifier: MIT
"""The checks that come before any parser."""

import glob
from collections.abc import Sequence
from pathlib import Path

from fastsdf.errors import InputError, ScanError


def require_file(path: str | Path) -> Path:
    """Return ``path`` as a ``Path`` after checking that it is a non-empty file that can be opened.

    Raises:
        ScanError: it is missing, a folder, not readable, or empty.
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
    """Paths with patterns (* ? [...]) replaced by the files they fit, sorted; a path that exists is not a pattern.

    Raises:
        InputError: no paths, or one file or folder named twice.
        ScanError: a pattern fits nothing.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.exists() or not glob.has_magic(str(path)):
            found.append(path)
            continue
        fitting = sorted(map(Path, glob.glob(str(path), recursive=True)))
        if not fitting:
            raise ScanError(f"no file fits the pattern {path}: check the path")
        found += fitting
    if not found:
        raise InputError("no scan given: name at least one file or folder")
    resolved = [path.resolve() for path in found]
    for index, path in enumerate(resolved):
        if path in resolved[:index]:
            raise InputError(f"{found[index]} is given twice: its points would count twice; name it once")
    return found
