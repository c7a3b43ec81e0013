# SPDX-License-Identifier: MIT
"""Durations and amounts of memory as people write them, ``2min`` and ``8GB``."""

import re

from fastsdf.errors import InputError

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
BYTES = {"MB": 1e6, "GB": 1e9, "MiB": 2.0**20, "GiB": 2.0**30}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_duration(text: str, option: str = "--time-budget") -> float:
    """Seconds of a text like ``90s``, ``2min`` or ``1.5h``.

    Raises:
        InputError: it is no positive number with one of these units.
    """
    return _parse(text, option, SECONDS, "90s, 2min or 1.5h")


def parse_memory(text: str, option: str = "--memory") -> float:
    """Bytes of a text like ``800MB``, ``8GB`` (powers of ten) or ``8GiB`` (of two).

    Raises:
        InputError: it is no positive number with one of these units.
    """
    return _parse(text, option, BYTES, "800MB, 8GB or 8GiB")


def _parse(text: str, option: str, units: dict[str, float], examples: str) -> float:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise InputError(f"{option} '{text}': write a number and a unit, e.g. {examples}")
    number, unit = float(found.group(1)), found.group(2)
    if unit not in units:
        raise InputError(f"{option} '{text}': unknown unit '{unit}', known are {', '.join(units)}; e.g. {examples}")
    if not number > 0:
        raise InputError(f"{option} '{text}': give more than 0, e.g. {examples}")
    return number * units[unit]
