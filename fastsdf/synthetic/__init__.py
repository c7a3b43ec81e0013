# SPDX-License-Identifier: MIT
"""Procedural furnished rooms with exact ground truth, and a virtual scanner. Importing this loads numpy only."""

from fastsdf.synthetic.room import Scene, apartment, furnished_room
from fastsdf.synthetic.scanner import sample_surface, scan, visible_samples

__all__ = ["Scene", "apartment", "furnished_room", "sample_surface", "scan", "visible_samples"]
