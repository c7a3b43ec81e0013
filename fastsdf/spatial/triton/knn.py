# SPDX-License-Identifier: MIT
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
"""Nearest-neighbour search in a bounding volume hierarchy: one warp traverses the tree for 32 neighbouring queries.

The traversal needs no stack. Nodes are in heap order (the children of i are 2i and 2i + 1), so the node after a
finished one is i + 1 with its trailing zero bits shifted out. A box is entered if, for any of the 32 queries, it may
hold a point nearer than the worst of the k best so far. Each lane keeps its k best as (squared distance, index) packed
in 64 bits.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

QUERIES = 32  # queries per program; the lanes of one warp
LEAF_SIZE = 16  # points per leaf; chosen, not swept
_SLACK = tl.constexpr(1.00001)  # factor on the first bound; covers the float32 rounding of distances to boxes
_INFINITELY_FAR = tl.constexpr(0x7F800000 << 32)  # packed key: the bits of float32 infinity, index 0
_MAX_KEY = tl.constexpr(0x7FFFFFFFFFFFFFFF)  # the largest int64; marks a key that is no candidate


def search(
    queries: Tensor, rows: Tensor, starts: Tensor, points: Tensor, boxes: Tensor, size: int, count: int
) -> tuple[Tensor, Tensor]:
    """Find the nearest points of each query.

    Args:
        queries: (m, 3) float32, finite, sorted so that consecutive queries lie close together.
        rows: (m,) int64 output row of each query.
        starts: (m,) int64 row of ``points`` near each query, used for a first bound of its distances.
        points: (leaves * LEAF_SIZE, 4) float32: x, y, z and the bits of the int32 index; infinite beyond ``size``.
        boxes: (2 * leaves, 8) float32 lower and upper corner of each node in heap order; the leaves start at row
            ``leaves``, which is a power of two.
        size: number of points.
        count: number of neighbours, 1 to ``size``.

    Returns:
        Squared distances (m, count) float32, ascending, and indices (m, count) int64.
    """
    m = len(queries)
    squares = torch.empty((m, count), dtype=torch.float32, device=queries.device)
    indices = torch.empty((m, count), dtype=torch.int64, device=queries.device)
    if m:
        slots = triton.next_power_of_2(count)
        _nearest_kernel[(triton.cdiv(m, QUERIES),)](
            queries,
            rows,
            starts,
            points,
            boxes,
            squares,
            indices,
            m,
            size,
            len(boxes) // 2,
            count,
            slots,
            LEAF_SIZE,
            QUERIES,
            num_warps=1,
        )
    return squares, indices


@triton.jit
def _key(point_ptr, at, x, y, z):
    """Keys of the points in rows ``at``: squared distance and index, packed to sort by distance, then by index."""
    dx = tl.load(point_ptr + 4 * at) - x
    dy = tl.load(point_ptr + 4 * at + 1) - y
    dz = tl.load(point_ptr + 4 * at + 2) - z
    index = tl.load(point_ptr + 4 * at + 3).to(tl.int32, bitcast=True)
    square = dx * dx + dy * dy + dz * dz
    return (square.to(tl.int32, bitcast=True).to(tl.int64) << 32) | index.to(tl.int64)


@triton.jit
def _insert(best, key):
    """``best`` (K, Q) with the largest key of each column replaced by ``key`` (Q,) where that is smaller."""
    worst = tl.max(best, axis=0)
    return tl.where(best == worst[None, :], tl.minimum(worst, key)[None, :], best)


@triton.jit
def _worst_square(best):
    return (tl.max(best, axis=0) >> 32).to(tl.int32).to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["m", "size", "leaves", "count"])
def _nearest_kernel(
    query_ptr,
    row_ptr,
    start_ptr,
    point_ptr,
    box_ptr,
    square_ptr,
    index_ptr,
    m,
    size,
    leaves,
    count,
    K: tl.constexpr,
    LEAF: tl.constexpr,
    BLOCK: tl.constexpr,
):
    query = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    in_range = query < m
    query = tl.minimum(query, m - 1)
    x, y, z = tl.load(query_ptr + 3 * query), tl.load(query_ptr + 3 * query + 1), tl.load(query_ptr + 3 * query + 2)
    slot = tl.arange(0, K).to(tl.int64)[:, None]
    empty = tl.where(slot < count, _INFINITELY_FAR + slot, -1) + tl.zeros((K, BLOCK), tl.int64)

    # A first bound, from the points next to the query in Morton order: it rules out most boxes from the start.
    first = tl.maximum(tl.minimum(tl.load(start_ptr + query) - K, size - 2 * K), 0)
    best = empty
    for j in range(2 * K):
        key = _key(point_ptr, tl.minimum(first + j, size - 1), x, y, z)
        best = _insert(best, tl.where(first + j < size, key, _MAX_KEY))
    bound = _worst_square(best) * _SLACK

    best = empty
    worst = _worst_square(best)
    node = 1
    while node > 0:
        box = box_ptr + 8 * node
        dx = tl.maximum(tl.maximum(tl.load(box) - x, x - tl.load(box + 3)), 0.0)
        dy = tl.maximum(tl.maximum(tl.load(box + 1) - y, y - tl.load(box + 4)), 0.0)
        dz = tl.maximum(tl.maximum(tl.load(box + 2) - z, z - tl.load(box + 5)), 0.0)
        square = dx * dx + dy * dy + dz * dz
        wanted = tl.max(((square <= bound) & (square < worst)).to(tl.int32), axis=0)
        if (wanted > 0) & (node < leaves):
            node = 2 * node
        else:
            if wanted > 0:
                base = (node - leaves) * LEAF
                for j in range(LEAF):
                    best = _insert(best, _key(point_ptr, base + j, x, y, z))
                worst = _worst_square(best)
            node += 1
            node = node // (node & -node)
            if node == 1:
                node = 0

    row = tl.load(row_ptr + query) * count
    best = tl.where(best < 0, _MAX_KEY, best)
    for j in range(count):
        nearest = tl.min(best, axis=0)
        best = tl.where(best == nearest[None, :], _MAX_KEY, best)
        tl.store(square_ptr + row + j, (nearest >> 32).to(tl.int32).to(tl.float32, bitcast=True), mask=in_range)
        tl.store(index_ptr + row + j, nearest & 0x7FFFFFFF, mask=in_range)
