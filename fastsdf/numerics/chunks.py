# SPDX-License-Identifier: MIT
"""Chunk sizes for batched work: small on a CPU, whose caches are small, and large on a GPU."""

import torch


def chunk_size(device: torch.device | str, cpu: int, elsewhere: int) -> int:
    """``cpu`` if the device is a CPU, else ``elsewhere``."""
    return cpu if torch.device(device).type == "cpu" else elsewhere
