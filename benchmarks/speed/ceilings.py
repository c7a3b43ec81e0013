# SPDX-License-Identifier: MIT
"""Upper limits of a GPU per second, for an H100 or measured: copies, random reads and additions, matrix products."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.shared.harness import measure

LEVEL_ENTRIES = 1 << 19  # table entries of 8 bytes: 4 MB, one level of the hash grid, which stays in the cache
FAR_ENTRIES = 1 << 23  # table entries of 8 bytes: 67 MB, larger than the cache
ACCESSES = 1 << 26  # reads or additions per measurement; chosen: 0.4 ms at the rate of an H100
BLOCK = 256  # accesses per program; chosen
SQUARE = 8192  # rows and columns of the matrices; chosen: large enough to reach the full rate


@dataclass(frozen=True)
class Ceilings:
    """Amounts per second.

    Attributes:
        bytes: bytes read plus bytes written by a copy on the device.
        gathers: reads of pairs of float32 at random entries of a table of 4 MB. This is the table of one level; kernels
            that work level by level find it in the cache.
        atomics: atomic additions to such entries.
        far_gathers: reads at random entries of a table of 67 MB, for comparison.
        fp16, fp32: floating-point operations of large matrix products.
    """

    bytes: float
    gathers: float
    atomics: float
    far_gathers: float
    fp16: float
    fp32: float


H100 = Ceilings(bytes=2.91e12, gathers=170e9, atomics=170e9, far_gathers=36e9, fp16=800e12, fp32=60e12)
"""H100 80GB. Bytes and far gathers were measured with torch 2.11. The matrix products are the rates of the data sheet
(989 and 67 TFLOP/s) rounded down to what is reached in practice. A gather reads a sector of 32 bytes from the
second-level cache at 5.5 TB/s; atomics are assumed to be no faster."""


def measured_ceilings(device: str = "cuda") -> Ceilings:
    """Measures the ceilings of a device; needs triton."""
    from benchmarks.speed.random_access import add, gather

    def rate(amount: float, function: Callable[[], Any]) -> float:
        return 1e3 * amount / measure(function, device, warm_up=3, repeats=10).median

    source = torch.zeros(1 << 28, device=device)
    target = torch.empty_like(source)
    copied = rate(2 * source.nbytes, lambda: target.copy_(source))
    level, table = (torch.zeros(entries, 2, device=device) for entries in (LEVEL_ENTRIES, FAR_ENTRIES))
    out = torch.empty(ACCESSES // BLOCK, device=device)
    gathers, far_gathers = (rate(ACCESSES, lambda t=t: gather(t, out, BLOCK)) for t in (level, table))
    atomics = rate(ACCESSES, lambda: add(level, ACCESSES, BLOCK))
    square = torch.randn(SQUARE, SQUARE, device=device)
    half = square.half()
    operations = 2.0 * SQUARE**3
    fp16, fp32 = rate(operations, lambda: half @ half), rate(operations, lambda: square @ square)
    return Ceilings(copied, gathers, atomics, far_gathers, fp16, fp32)
