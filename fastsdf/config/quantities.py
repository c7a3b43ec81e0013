# SPDX-License-Identifier: MIT
"""Parses durations such as ``2min`` and amounts of memory such as ``8GB``."""

import re

from fastsdf.errors import InputError

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}  # seconds per unit
# What is accepted, and examples of it for messages.
_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")
_DURATIONS, _AMOUNTS = "90s, 2min or 1.5h", "800MB, 8GB or 8GiB"


def parse_duration(text: str, option: str = "--time-budget") -> float:
    """Parses a duration such as ``90s``, ``2min`` or ``1.5h``; returns seconds.

    Raises:
        InputError: the text is not a positive number with one of these units.
    """
    found = _NUMBER_AND_UNIT.fullmatch(text)
    if found is None:
        raise InputError(f"{option} is '{text}'; give a number and a unit, e.g. {_DURATIONS}")
    number, unit = float(found.group(1)), found.group(2)
    if unit not in SECONDS:
        known = ", ".join(SECONDS)
        raise InputError(f"{option} is '{text}': unknown unit '{unit}', known are {known}; e.g. {_DURATIONS}")
    return _positive(number * SECONDS[unit], text, option, _DURATIONS)


def parse_memory(text: str, option: str = "--memory") -> float:
    """Parses an amount of memory such as ``800MB``, ``8GB`` (powers of ten) or ``8GiB`` (powers of two); returns bytes.

    Raises:
        InputError: the text is not a positive number with a unit of memory.
    """
    from pydantic import ByteSize, TypeAdapter, ValidationError  # slow to import

    message = f"{option} is '{text}'; give a number and a unit, e.g. {_AMOUNTS}"
    if _NUMBER_AND_UNIT.fullmatch(text) is None:  # ByteSize would read "8,5GB" as 8 bytes
        raise InputError(message)
    try:
        return _positive(float(TypeAdapter(ByteSize).validate_python(text.strip())), text, option, _AMOUNTS)
    except ValidationError as error:
        raise InputError(message) from error


def _positive(value: float, text: str, option: str, examples: str) -> float:
    if not value > 0:
        raise InputError(f"{option} is '{text}'; give more than 0, e.g. {examples}")
    return value
