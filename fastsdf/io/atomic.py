# SPDX-License-Identifier: MIT
"""Whole files or no files: a writer never leaves a half-written result under the final name."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastsdf.errors import InputError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to; it replaces ``path`` when the block ends without an error.

    The temporary file lies in the same folder (made when missing) and keeps the suffix, so writers that choose a
    format by suffix work. After an error the temporary file is gone and an older ``path`` is as it was.

    Args:
        path: the final file.

    Yields:
        The temporary path.

    Raises:
        InputError: the folder or the file cannot be written (any ``OSError`` of the block included).
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
