# SPDX-License-Identifier: MIT
"""How values read in tables for people."""

from typing import Any


def format_value(value: Any) -> str:
    """A value for a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
