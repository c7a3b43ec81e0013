# SPDX-License-Identifier: MIT
"""Formats values for display in tables."""

from typing import Any


def format_value(value: Any) -> str:
    """Formats a value: ``-`` for None, yes or no, four significant digits for floats, thousands separators."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
