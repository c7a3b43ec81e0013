# SPDX-License-Identifier: MIT
"""Turns the missing import of an optional package into an error that tells how to install it."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastsdf.errors import FastSDFError, InputError


@contextmanager
def needed_for(what: str, how: str, kind: type[FastSDFError] = InputError) -> Iterator[None]:
    """Wraps the import of an optional package; a failure becomes an error of one line.

    Args:
        what: what needs the package, e.g. "reports need jinja2".
        how: what to do, e.g. "pip install jinja2".
        kind: class of the error.

    Raises:
        FastSDFError: of class ``kind``, the package cannot be imported.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        raise kind(f"{what} ({error}): {how}") from error
