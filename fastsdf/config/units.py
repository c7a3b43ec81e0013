# SPDX-License-Identifier: MIT
"""Units of length of files; fastsdf itself works in metres."""

from fastsdf.errors import InputError

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}  # per unit; ft is the international foot


def metres_per(unit: str) -> float:
    """Length of one unit in metres.

    Raises:
        InputError: the unit is unknown.
    """
    if unit not in METRES:
        raise InputError(f"unknown unit '{unit}'; give one of {', '.join(METRES)} (ft is the international foot)")
    return METRES[unit]
