# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Reads of and additions to pairs of float32 at random places, by Triton, as the encoding's kernels do them."""

import triton
import triton.language as tl
from torch import Tensor


def gather(table: Tensor, out: Tensor, block: int) -> None:
    """Reads ``block`` random entries of a table (a power of two, 2) for each element of ``out``, their sum."""
    _gather[(len(out),)](table, out, len(table), block)


def add(table: Tensor, places: int, block: int) -> None:
    """Adds 1 to that many random entries of a table (a power of two, 2), ``block`` by ``block``."""
    _add[(places // block,)](table, len(table), block)


@triton.jit
def _random_places(SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """(BLOCK, 2) both numbers of entries that differ between programs."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    i = (i ^ (i >> 15)) * 739982445
    i = (i ^ (i >> 12)) * 695872825
    row = (i ^ (i >> 15)) & (SIZE - 1)
    return row[:, None] * 2 + tl.arange(0, 2)[None, :]


@triton.jit
def _gather(table_ptr, out_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    values = tl.load(table_ptr + _random_places(SIZE, BLOCK))
    tl.store(out_ptr + tl.program_id(0), tl.sum(tl.sum(values, axis=1), axis=0))


@triton.jit
def _add(table_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    tl.atomic_add(table_ptr + _random_places(SIZE, BLOCK), tl.full((BLOCK, 2), 1.0, tl.float32), sem="relaxed")
