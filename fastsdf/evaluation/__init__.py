# SPDX-License-Identifier: MIT
"""Scores of a mesh against a reference surface. Importing this loads numpy and scipy; Open3D comes with first use."""

from fastsdf.evaluation.marked import MarkedMetrics, Marks
from fastsdf.evaluation.metrics import Metrics, evaluate
from fastsdf.evaluation.protocols import PROTOCOLS, Protocol, protocol_named
from fastsdf.evaluation.rows import Row, rows

__all__ = [
    "PROTOCOLS",
    "MarkedMetrics",
    "Marks",
    "Metrics",
    "Protocol",
    "Row",
    "evaluate",
    "protocol_named",
    "rows",
]
