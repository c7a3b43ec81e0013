# SPDX-License-Identifier: MIT
"""Atomic writing of files: an incomplete file never appears under the final name."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastsdf.errors import InputError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Provide a temporary path to write to, which replaces ``path`` when the block ends without an error.

    The temporary file lies in the same folder (created if it does not exist) and has the same suffix, because some
    writers choose their format by suffix. After an error it is deleted, and an existing ``path`` is unchanged.

    Args:
        path: the final file.

    Yields:
        The temporary path.

    Raises:
        InputError: the folder or the file cannot be written; this includes any ``OSError`` raised in the block.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot write {path}: {reason}; choose a path in a folder you may write to") from error
