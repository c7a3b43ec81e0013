# SPDX-License-Identifier: MIT
"""Units of length: fastsdf works in metres; files may hold others."""

from fastsdf.errors import InputError

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}


def metres_per(unit: str) -> float:
    """Metres in one unit of this name.

    Raises:
        InputError: the name is unknown.
    """
    if unit not in METRES:
        raise InputError(f"unknown unit '{unit}'; known: {', '.join(METRES)} (ft: the international foot, 0.3048 m)")
    return METRES[unit]
