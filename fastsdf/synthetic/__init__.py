# SPDX-License-Identifier: MIT
"""Procedural indoor scenes with exact ground truth, and a virtual scanner; used by tests, benchmarks and data only.

Input: the name of a scene and a seed. Output: a scan and its truth. Start reading at `cases`.
Importing this package loads only numpy and plyfile.
"""

from fastsdf.synthetic.cases import SCENES, Case, CaseSettings, make_case, write_case
from fastsdf.synthetic.corridor import corridor
from fastsdf.synthetic.room import apartment, furnished_room
from fastsdf.synthetic.scanner import sample_surface, scan, visible_samples
from fastsdf.synthetic.scene import Scene
from fastsdf.synthetic.staircase import staircase
from fastsdf.synthetic.truth import Truth, visible_truth

__all__ = [
    "SCENES",
    "Case",
    "CaseSettings",
    "Scene",
    "Truth",
    "apartment",
    "corridor",
    "furnished_room",
    "make_case",
    "sample_surface",
    "scan",
    "staircase",
    "visible_samples",
    "visible_truth",
    "write_case",
]
