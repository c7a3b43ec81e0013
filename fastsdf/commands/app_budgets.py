# SPDX-License-Identifier: MIT
"""The budget options of ``fastsdf fit`` and ``fastsdf info``."""

from typing import Annotated, Any

import typer

from fastsdf.config.quantities import parse_duration, parse_memory

TimeBudget = Annotated[
    str | None, typer.Option(help="Choose settings that finish everything within this time, e.g. 2min.")
]
Memory = Annotated[str | None, typer.Option(help="Choose settings that need no more memory than this, e.g. 8GB.")]


def limits(time_budget: str | None, memory: str | None) -> Any:
    """Parses the budgets into `fastsdf.budget.plan.Limits`, before any slow import so that errors come at once."""
    time_s = None if time_budget is None else parse_duration(time_budget)
    memory_bytes = None if memory is None else parse_memory(memory)
    from fastsdf.budget.plan import Limits

    return Limits(time_s, memory_bytes)
