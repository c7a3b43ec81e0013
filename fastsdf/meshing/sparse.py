# SPDX-License-Identifier: MIT
"""Sparse coarse-to-fine marching cubes of a signed distance field, in bounded memory and at any resolution."""

import logging
from collections.abc import Iterator

import numpy as np

from fastsdf.errors import InputError, MeshingError
from fastsdf.meshing.bricks import (
    BrickGrid,
    NodeValues,
    Patch,
    brick_grid,
    edge_nodes,
    march,
    node_values,
    nodes_of,
    pair_nodes,
    split_pairs,
)
from fastsdf.meshing.cases import CORNERS
from fastsdf.meshing.clean import vertex_normals
from fastsdf.meshing.lattice import INDEX_LIMIT, Field, SampledField, cells_near_points, pack, sorted_unique, unpack
from fastsdf.scan import TriangleMesh

logger = logging.getLogger(__name__)

_END_MARGIN = 1e-3  # vertices keep this share of an edge from its nodes, so that no two of them coincide


def extract_surface(
    sdf: Field,
    support: np.ndarray,
    *,
    voxel_size: float,
    support_distance: float | np.ndarray,
    gradient: Field | None = None,
    lipschitz: float = 2.0,
    coarse_factor: int = 8,
    refine_steps: int = 1,
    block_cells: int = 2**21,
    chunk_points: int = 2**18,
) -> TriangleMesh:
    """The zero set of ``sdf`` near the support, by marching cubes on a sparse lattice.

    Cubes of ``coarse_factor`` voxels near the support are halved down to two voxels; a cube goes on only if
    ``|u(centre)| <= lipschitz * half diagonal``. For a distance function 1 would lose nothing; the factor 2 leaves
    room for fields whose gradient norm is not quite 1. A field that is steeper than ``lipschitz`` may lose surface.
    Every node of the surviving cells is then evaluated once. Values of exactly 0 count as positive.

    The mesh reaches up to a few coarse cubes past the support distance; ``meshing.support`` cuts it. It is
    closed wherever the surface stays near the support. It does not depend on ``block_cells`` or ``chunk_points`` as
    long as ``sdf`` treats each point by itself. Memory is that of one block, the node values of the last few
    bricks along x, the mesh, and one key per cube of two voxels near the surface.

    Args:
        sdf: world points (n, 3) float64 -> (n,) signed distances in world units, positive in free space.
        support: (m, 3) world points near which a surface is wanted.
        voxel_size: lattice spacing in world units, > 0.
        support_distance: how far around the support to look, world units: one number, or (m,) one per point.
        gradient: world points (n, 3) -> (n, 3), for vertex normals; without it they come from the faces.
        lipschitz: bound on the field's slope, >= 1.
        coarse_factor: first cube edge in voxels, 2, 4, 8 or 16.
        refine_steps: false-position steps per vertex after linear interpolation; each costs one evaluation per
            vertex and stays on the vertex's edge, between its nodes.
        block_cells: most fine cells held at once (at least one cube of ``coarse_factor`` voxels is).
        chunk_points: most points per call of ``sdf`` and ``gradient``.

    Returns:
        Mesh with unit vertex normals; faces are counter-clockwise seen from free space.

    Raises:
        InputError: an argument is out of range, or the lattice would be too large for this voxel size.
        MeshingError: no sign change near the support, or the field is not finite.
    """
    support = np.asarray(support, dtype=np.float64)
    distance = np.asarray(support_distance, dtype=np.float64)
    _check(support, distance, voxel_size, lipschitz, coarse_factor, refine_steps, min(block_cells, chunk_points))
    origin = _origin(support, float(distance.max()), voxel_size, coarse_factor)
    lattice = SampledField(sdf, origin, float(voxel_size), chunk_points)
    near = cells_near_points(support, distance, origin=origin, cell_size=coarse_factor * voxel_size)
    pairs = _narrow(lattice, near, coarse_factor, lipschitz)
    grid = brick_grid(sorted_unique(_parents(pairs, coarse_factor)), coarse_factor)
    edges, ends, faces = _weld(list(_patches(lattice, grid, pairs, lipschitz, block_cells)))
    if len(faces) == 0:
        raise MeshingError(
            f"the field has no sign change within {distance.max():g} of the {len(support)} support points: "
            "check --scene (object or room), train longer, or allow a larger support distance"
        )
    vertices = _vertices(lattice, grid, edges, ends, refine_steps)
    logger.info("extracted %d vertices, %d faces", len(vertices), len(faces))
    normals = vertex_normals(vertices, faces) if gradient is None else _unit_gradient(gradient, vertices, chunk_points)
    return TriangleMesh(vertices, faces, normals)


def _check(
    support: np.ndarray,
    distance: np.ndarray,
    voxel_size: float,
    lipschitz: float,
    coarse_factor: int,
    refine_steps: int,
    batch: int,
) -> None:
    """Raise InputError for arguments that :func:`extract_surface` cannot use."""
    if support.ndim != 2 or support.shape[1] != 3 or len(support) == 0 or not np.isfinite(support).all():
        raise InputError(f"support must be finite points of shape (m, 3) with m > 0, got shape {support.shape}")
    if distance.shape not in ((), (len(support),)) or not np.isfinite(distance).all() or distance.min() < 0:
        raise InputError(f"support_distance must be >= 0, one number or ({len(support)},); got shape {distance.shape}")
    if not (np.isfinite(voxel_size) and voxel_size > 0):
        raise InputError(f"voxel_size must be a positive length, got {voxel_size}")
    if lipschitz < 1 or coarse_factor not in (2, 4, 8, 16) or refine_steps < 0 or batch < 1:
        raise InputError(
            "need lipschitz >= 1, coarse_factor 2, 4, 8 or 16, refine_steps >= 0, block_cells and chunk_points >= 1; "
            f"got lipschitz={lipschitz}, coarse_factor={coarse_factor}, refine_steps={refine_steps}, smallest "
            f"batch={batch}"
        )
    extent = float(np.ptp(support, axis=0).max()) + 2.0 * float(distance.max())
    room = INDEX_LIMIT - 8 * coarse_factor
    if extent / voxel_size > room:
        raise InputError(
            f"voxel_size {voxel_size:g} needs {extent / voxel_size:.3g} cells along one axis, more than {room} "
            f"(2^20 less a margin); the smallest possible voxel_size here is {extent / room:.6g}"
        )


def _origin(support: np.ndarray, reach: float, voxel_size: float, coarse_factor: int) -> np.ndarray:
    """World point on a multiple of the voxel size, below all cells near the support."""
    margin = (np.ceil(reach / (coarse_factor * voxel_size)) + 2) * coarse_factor
    return (np.floor(support.min(axis=0) / voxel_size) - margin) * voxel_size


def _narrow(lattice: SampledField, cubes: np.ndarray, factor: int, lipschitz: float) -> np.ndarray:
    """Keys (n,) of the cubes of two voxels that may hold surface, grouped by ancestor in the order of ``cubes``."""
    cubes = _prune(lattice, cubes, factor, lipschitz, split=False)
    while factor > 2:
        factor //= 2
        cubes = _prune(lattice, cubes, factor, lipschitz, split=True)
    return cubes


def _prune(lattice: SampledField, cubes: np.ndarray, factor: int, lipschitz: float, split: bool) -> np.ndarray:
    """The cubes of ``factor`` voxels (or, with ``split``, of the given cubes' octants) that may hold surface."""
    limit = lipschitz * factor * lattice.voxel_size * np.sqrt(0.75)
    step = max(lattice.chunk_points // (8 if split else 1), 1)
    kept = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(cubes), step):
        index = unpack(cubes[start : start + step])
        if split:
            index = (2 * index[:, None] + CORNERS).reshape(-1, 3)
        values = lattice.values((index + 0.5) * factor)
        kept.append(pack(index[np.abs(values) <= limit]))
    logger.debug("cubes of %d voxels: %d given, %d kept", factor, len(cubes), sum(map(len, kept)))
    return np.concatenate(kept)


def _parents(pairs: np.ndarray, coarse_factor: int) -> np.ndarray:
    """Key of the coarse cube of every cube of two voxels."""
    return pack(unpack(pairs) // (coarse_factor // 2))


def _patches(
    lattice: SampledField, grid: BrickGrid, pairs: np.ndarray, lipschitz: float, block_cells: int
) -> Iterator[Patch]:
    """March the bricks in batches; nodes that later batches need are handed on, so none is evaluated twice."""
    half = grid.size // 2
    parents = _parents(pairs, grid.size)
    known = NodeValues(np.zeros(0, dtype=np.int64), np.zeros((0,) + (grid.size,) * 3))
    bricks = max(block_cells // grid.size**3, 1)
    for start in range(0, len(grid.cells), bricks):
        corners = grid.corners[start : start + bricks]
        stop = start + len(corners)
        first = np.searchsorted(parents, grid.cells[start], side="left")
        last = np.searchsorted(parents, grid.cells[stop - 1], side="right")
        local = np.searchsorted(grid.cells[start:stop], parents[first:last])
        mask = np.zeros((len(corners), half, half, half), dtype=bool)
        mask[(local, *(unpack(pairs[first:last]) % half).T)] = True
        nodes = node_values(grid, corners, pair_nodes(mask), lattice.values, known)
        cells = split_pairs(corners, mask, nodes, lipschitz * lattice.voxel_size)
        nodes = node_values(grid, corners, nodes_of(cells), lattice.values, nodes)
        yield march(grid, corners, cells, nodes)
        if stop < len(grid.cells):
            known = known.since(grid.corners[stop, 0]).updated(nodes.since(grid.corners[stop, 0]))


def _weld(patches: list[Patch]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join batches: sorted edge keys (e,), their end values (e, 2), faces (f, 3) int64 into them."""
    if not patches:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros((0, 3), dtype=np.int64)
    edges, first = np.unique(np.concatenate([p.edges for p in patches]), return_index=True)
    ends = np.concatenate([p.ends for p in patches])[first]
    faces = np.concatenate([np.searchsorted(edges, p.edges)[p.faces] for p in patches])
    return edges, ends, faces


def _vertices(lattice: SampledField, grid: BrickGrid, edges: np.ndarray, ends: np.ndarray, steps: int) -> np.ndarray:
    """World positions (e, 3) of the zero crossings: linear interpolation, then safeguarded false position.

    Each step evaluates the field at the current estimate, replaces the end of the bracket that has the same sign, and
    interpolates again, so the estimate never leaves the bracket.
    """
    node, axis = edge_nodes(grid, edges)
    low, high = np.zeros(len(edges)), np.ones(len(edges))
    u_low, u_high = ends[:, 0], ends[:, 1]
    position = u_low / (u_low - u_high)
    rows = np.arange(len(edges))
    place = node.astype(np.float64)
    for _ in range(steps):
        place[rows, axis] = node[rows, axis] + position
        value = lattice.values(place)
        below = (value < 0) == (u_low < 0)
        low, high = np.where(below, position, low), np.where(below, high, position)
        u_low, u_high = np.where(below, value, u_low), np.where(below, u_high, value)
        position = low + (high - low) * (u_low / (u_low - u_high))
    place[rows, axis] = node[rows, axis] + np.clip(position, _END_MARGIN, 1.0 - _END_MARGIN)
    return lattice.world(place)


def _unit_gradient(gradient: Field, vertices: np.ndarray, chunk_points: int) -> np.ndarray:
    """Unit vectors (v, 3) along the gradient; zero where it vanishes."""
    parts = [np.asarray(gradient(vertices[i : i + chunk_points])) for i in range(0, len(vertices), chunk_points)]
    normals = np.concatenate(parts).astype(np.float64)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(length > 0, length, 1.0)
