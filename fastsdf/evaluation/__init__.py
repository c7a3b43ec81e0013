# SPDX-License-Identifier: MIT
"""Scores a mesh against a reference surface.

Input: a mesh and a reference (mesh or points). Output: `Metrics`, or rows of a table. Start reading at `metrics`.
"""

from fastsdf.evaluation.metrics import Metrics, evaluate
from fastsdf.evaluation.point_labels import LabelledMetrics, PointLabels
from fastsdf.evaluation.protocols import PROTOCOLS, Protocol, protocol_named
from fastsdf.evaluation.rows import Row, rows

__all__ = [
    "PROTOCOLS",
    "LabelledMetrics",
    "Metrics",
    "PointLabels",
    "Protocol",
    "Row",
    "evaluate",
    "protocol_named",
    "rows",
]
