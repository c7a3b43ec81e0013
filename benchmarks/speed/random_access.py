# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false
"""Triton kernels that read pairs of float32 at random table entries or add to them, as the encoding kernels do."""

import triton
import triton.language as tl
from torch import Tensor


def gather(table: Tensor, out: Tensor, block: int) -> None:
    """Sums ``block`` random entries of a table (a power of two, 2) into each element of ``out``."""
    _gather[(len(out),)](table, out, len(table), block)


def add(table: Tensor, count: int, block: int) -> None:
    """Adds 1 to ``count`` random entries of a table (a power of two, 2); each program handles ``block`` of them."""
    _add[(count // block,)](table, len(table), block)


@triton.jit
def _random_offsets(SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """Offsets (BLOCK, 2) of the two numbers of random entries; every program gets other entries."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    i = (i ^ (i >> 15)) * 739982445
    i = (i ^ (i >> 12)) * 695872825
    row = (i ^ (i >> 15)) & (SIZE - 1)
    return row[:, None] * 2 + tl.arange(0, 2)[None, :]


@triton.jit
def _gather(table_ptr, out_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    values = tl.load(table_ptr + _random_offsets(SIZE, BLOCK))
    tl.store(out_ptr + tl.program_id(0), tl.sum(tl.sum(values, axis=1), axis=0))


@triton.jit
def _add(table_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    tl.atomic_add(table_ptr + _random_offsets(SIZE, BLOCK), tl.full((BLOCK, 2), 1.0, tl.float32), sem="relaxed")
