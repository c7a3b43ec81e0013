# SPDX-License-Identifier: MIT
"""The options of budgets, of ``fit`` and ``info``. Heavy imports happen inside."""

from typing import Annotated, Any

import typer

from fastsdf.config.quantities import parse_duration, parse_memory

TimeBudget = Annotated[str | None, typer.Option(help="Settings so that all is done in this time, e.g. 2min.")]
Memory = Annotated[str | None, typer.Option(help="Settings that need no more memory than this, e.g. 8GB.")]


def limits(time_budget: str | None, memory: str | None) -> Any:
    """Budgets of a fit, a `fastsdf.budget.plan.Limits`; checked before anything heavy is imported."""
    time_s = None if time_budget is None else parse_duration(time_budget)
    memory_bytes = None if memory is None else parse_memory(memory)
    from fastsdf.budget.plan import Limits

    return Limits(time_s, memory_bytes)
