# SPDX-License-Identifier: MIT
"""How many places are worked on at once: few on a CPU, whose caches and memory are small, many on a GPU."""

import torch


def chunk_size(device: torch.device | str, cpu: int, elsewhere: int) -> int:
    """The number for a device: ``cpu`` or ``elsewhere``."""
    return cpu if torch.device(device).type == "cpu" else elsewhere
