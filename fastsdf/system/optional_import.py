# SPDX-License-Identifier: MIT
"""Packages that not everybody needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastsdf.errors import FastSDFError, InputError


@contextmanager
def needed_for(what: str, how: str, kind: type[FastSDFError] = InputError) -> Iterator[None]:
    """Around the import of an optional package: says in one line what needs it, and what to do.

    Args:
        what: who needs which package, "reports need jinja2".
        how: "pip install jinja2", and what else would do.
        kind: of the error.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        raise kind(f"{what} ({error}): {how}") from error
