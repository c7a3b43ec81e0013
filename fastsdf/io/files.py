# SPDX-License-Identifier: MIT
"""The checks that come before any parser."""

from pathlib import Path

from fastsdf.errors import ScanError


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
