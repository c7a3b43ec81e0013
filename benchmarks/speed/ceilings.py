# SPDX-License-Identifier: MIT
"""What a GPU can do per second, stated for an H100 or measured: copies, random gathers and additions, products."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.shared.harness import measure

LEVEL_ENTRIES = 1 << 19  # of 8 bytes: 4 MB, which stay in the cache
FAR_ENTRIES = 1 << 23  # 67 MB
PLACES = 1 << 26
BLOCK = 256
SQUARE = 8192


@dataclass(frozen=True)
class Ceilings:
    """Amounts per second.

    Attributes:
        bytes: copied on the device; what is read and what is written both count.
        gathers, atomics: reads of, and additions to, pairs of float32 at random places of 4 MB, the table of a level,
            which kernels that go level by level find in the cache.
        far_gathers: reads out of 67 MB, for comparison.
        fp16, fp32: operations of large matrix products.
    """

    bytes: float
    gathers: float
    atomics: float
    far_gathers: float
    fp16: float
    fp32: float


H100 = Ceilings(bytes=2.91e12, gathers=170e9, atomics=170e9, far_gathers=36e9, fp16=800e12, fp32=60e12)
"""H100 80GB: bytes and far gathers measured with torch 2.11; products rounded from the data sheet (989 and 67) to what
they reach; near gathers are sectors of 32 bytes at 5.5 TB/s of the second-level cache, and atomics no faster."""


def measured_ceilings(device: str = "cuda") -> Ceilings:
    """The ceilings of the device at hand; needs triton."""
    from benchmarks.speed.random_access import add, gather

    def rate(amount: float, function: Callable[[], Any]) -> float:
        return 1e3 * amount / measure(function, device, warm_up=3, repeats=10).median

    source = torch.zeros(1 << 28, device=device)
    target = torch.empty_like(source)
    copied = rate(2 * source.nbytes, lambda: target.copy_(source))
    level, table = (torch.zeros(entries, 2, device=device) for entries in (LEVEL_ENTRIES, FAR_ENTRIES))
    out = torch.empty(PLACES // BLOCK, device=device)
    gathers, far_gathers = (rate(PLACES, lambda t=t: gather(t, out, BLOCK)) for t in (level, table))
    atomics = rate(PLACES, lambda: add(level, PLACES, BLOCK))
    square = torch.randn(SQUARE, SQUARE, device=device)
    half = square.half()
    operations = 2.0 * SQUARE**3
    fp16, fp32 = rate(operations, lambda: half @ half), rate(operations, lambda: square @ square)
    return Ceilings(copied, gathers, atomics, far_gathers, fp16, fp32)
