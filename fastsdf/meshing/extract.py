# SPDX-License-Identifier: MIT
"""Extracts the zero set of a signed distance field by sparse coarse-to-fine marching cubes, in bounded memory.

All arrays stay on the device of the support points; only sizes are copied to the host.
"""

import logging
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from fastsdf.errors import InputError, MeshingError
from fastsdf.meshing.bricks import BrickGrid, Patch, brick_grid, edge_nodes, march, no_values, open_block, split_pairs
from fastsdf.meshing.components import vertex_normals
from fastsdf.meshing.lattice import INDEX_LIMIT, Field, SampledField, cells_near_points, pack, sorted_unique, unpack
from fastsdf.meshing.marching_cubes_table import CORNERS
from fastsdf.meshing.surface import Surface

logger = logging.getLogger(__name__)

GRADIENT_TAPS = 8  # field values per gradient, rounded up from the 6 of central differences; bounds memory
_END_MARGIN = 1e-3  # share of an edge; keeps vertices off its nodes, where several would coincide
_CHUNK_POINTS = {"cpu": 2**16}  # points per call of the field, 2^20 elsewhere; chosen to bound memory
_BLOCK_CELLS = {"cpu": 2**17}  # cells per block, 2^23 elsewhere; chosen to bound memory


def extract_surface(
    sdf: Field,
    support: Tensor,
    *,
    voxel_size: float,
    support_distance: float | Tensor,
    gradient: Field | None = None,
    lipschitz: float = 2.0,
    coarse_factor: int = 8,
    refine_steps: int = 1,
    block_cells: int | None = None,
    chunk_points: int | None = None,
) -> Surface:
    """Extracts the zero set of ``sdf`` near the support by marching cubes on a sparse lattice.

    Cubes of ``coarse_factor`` voxels near the support are halved down to two voxels. A cube is kept only if
    ``|u(centre)| <= lipschitz * half diagonal``: a distance function has slope 1, and the default of 2 allows for
    fields whose gradient norm is not quite 1. A field steeper than ``lipschitz`` may lose surface. Every node of the
    kept cells is then evaluated once; values of exactly 0 count as positive.

    The mesh extends up to a few coarse cubes past the support distance (`fastsdf.meshing.measured_part` trims it) and
    is closed wherever the surface stays near the support. It does not depend on ``block_cells`` or ``chunk_points`` if
    ``sdf`` treats each point on its own. Memory holds one block, the last node values, the mesh and the cube keys.

    Args:
        sdf: world points (n, 3) float64 -> (n,) signed distances, positive in free space, on the support's device.
        support: (m, 3) world points near which the surface is extracted; all work is done on their device.
        voxel_size: lattice spacing in world units, > 0.
        support_distance: search distance around the support, world units: one number, or (m,) one per point.
        gradient: world points (n, 3) -> (n, 3), for vertex normals; None takes them from the faces.
        lipschitz: upper bound on the field's slope, >= 1.
        coarse_factor: edge of the largest cubes in voxels, 2, 4, 8 or 16.
        refine_steps: false-position steps per vertex after linear interpolation; each costs one evaluation.
        block_cells: largest number of fine cells per block (a block holds at least one cube of ``coarse_factor``
            voxels); None: 2^17 on a CPU, 2^23 elsewhere.
        chunk_points: points per call of ``sdf``, an eighth for ``gradient``; None: 2^16 on a CPU, 2^20 elsewhere.

    Returns:
        Mesh with unit vertex normals; faces are counter-clockwise seen from free space.

    Raises:
        InputError: an argument is out of range, or the lattice would be too large for this voxel size.
        MeshingError: no sign change near the support, or the field is not finite.
    """
    # Fill in the defaults and check the arguments.
    block_cells = _BLOCK_CELLS.get(support.device.type, 2**23) if block_cells is None else block_cells
    chunk_points = _CHUNK_POINTS.get(support.device.type, 2**20) if chunk_points is None else chunk_points
    support = support.double()
    distance = torch.as_tensor(support_distance, dtype=torch.float64, device=support.device)
    _check(support, distance, voxel_size, lipschitz, coarse_factor, refine_steps, min(block_cells, chunk_points))
    # Lay a lattice of voxels around the support.
    reach = float(distance.max())
    origin = _origin(support, reach, voxel_size, coarse_factor)
    lattice = SampledField(sdf, origin, float(voxel_size), chunk_points)
    # Find the coarse cubes near the support points.
    near = cells_near_points(support, distance, origin=origin, cell_size=coarse_factor * voxel_size)
    # Halve the cubes down to two voxels, dropping those too far from the surface.
    pairs = refine_cubes(lattice, near, coarse_factor, lipschitz)
    # Group the remaining cubes into dense bricks of voxels.
    grid = brick_grid(sorted_unique(_parents(pairs, coarse_factor)), coarse_factor)
    # Run marching cubes block by block, and join the triangles of the blocks.
    edges, ends, faces = weld(list(patches(lattice, grid, pairs, lipschitz, block_cells)), grid)
    if len(faces) == 0:
        raise MeshingError(
            f"the field has no sign change within {reach:g} of the {len(support)} support points: "
            "check --scene (object or room), train longer, or allow a larger support distance"
        )
    # Move each vertex to the zero crossing on its edge.
    vertices = locate_vertices(lattice, grid, edges, ends, refine_steps)
    logger.info("extracted %d vertices, %d faces", len(vertices), len(faces))
    # Add vertex normals, from the field's gradient if it is given.
    if gradient is None:
        return Surface(vertices, faces, vertex_normals(vertices, faces))
    return Surface(vertices, faces, unit_gradient(gradient, vertices, max(chunk_points // GRADIENT_TAPS, 1)))


def _check(
    support: Tensor,
    distance: Tensor,
    voxel_size: float,
    lipschitz: float,
    coarse_factor: int,
    refine_steps: int,
    batch: int,
) -> None:
    """Raises InputError for arguments that `extract_surface` cannot use."""
    shape = tuple(support.shape)
    if len(shape) != 2 or shape[1] != 3 or shape[0] == 0 or not support.isfinite().all():
        raise InputError(f"support must be finite points of shape (m, 3) with m > 0, got shape {shape}")
    if distance.shape not in ((), (len(support),)) or not distance.isfinite().all() or distance.min() < 0:
        raise InputError(f"support_distance must be >= 0, one number or ({shape[0]},); got shape {(*distance.shape,)}")
    if not (math.isfinite(voxel_size) and voxel_size > 0):
        raise InputError(f"voxel_size must be a positive length, got {voxel_size}")
    if lipschitz < 1 or coarse_factor not in (2, 4, 8, 16) or refine_steps < 0 or batch < 1:
        raise InputError(
            "need lipschitz >= 1, coarse_factor 2, 4, 8 or 16, refine_steps >= 0, block_cells and chunk_points >= 1; "
            f"got lipschitz={lipschitz}, coarse_factor={coarse_factor}, refine_steps={refine_steps}, smallest "
            f"batch={batch}"
        )
    extent = float((support.amax(0) - support.amin(0)).max() + 2.0 * distance.max())
    room = INDEX_LIMIT - 8 * coarse_factor
    if extent / voxel_size > room:
        raise InputError(
            f"voxel_size {voxel_size:g} needs {extent / voxel_size:.3g} cells along one axis, more than {room} "
            f"(2^20 less a margin); the smallest possible voxel_size here is {extent / room:.6g}"
        )


def _origin(support: Tensor, reach: float, voxel_size: float, coarse_factor: int) -> Tensor:
    """World point (3,) on a multiple of the voxel size, below all cells near the support."""
    margin = (math.ceil(reach / (coarse_factor * voxel_size)) + 2) * coarse_factor
    return (torch.floor(support.amin(dim=0) / voxel_size) - margin) * voxel_size


def refine_cubes(lattice: SampledField, cubes: Tensor, factor: int, lipschitz: float) -> Tensor:
    """Keys (n,) of the cubes of two voxels that may hold surface, in the order of their coarse ``cubes``."""
    cubes = _prune(lattice, cubes, factor, lipschitz, split=False)
    while factor > 2:
        factor //= 2
        cubes = _prune(lattice, cubes, factor, lipschitz, split=True)
    return cubes


def _prune(lattice: SampledField, cubes: Tensor, factor: int, lipschitz: float, split: bool) -> Tensor:
    """Keys of the cubes of ``factor`` voxels that may hold surface, among the cubes or (``split``) their octants."""
    limit = lipschitz * factor * lattice.voxel_size * math.sqrt(0.75)
    step = max(lattice.chunk_points // (8 if split else 1), 1)
    octants = CORNERS.to(cubes.device)
    kept = [cubes[:0]]
    for start in range(0, len(cubes), step):
        index = unpack(cubes[start : start + step])
        if split:
            index = (2 * index[:, None] + octants).view(-1, 3)
        values = lattice.values((index.double() + 0.5) * factor)
        kept.append(pack(index[values.abs() <= limit]))
    logger.debug("cubes of %d voxels: %d given, %d kept", factor, len(cubes), sum(map(len, kept)))
    return torch.cat(kept)


def _parents(pairs: Tensor, coarse_factor: int) -> Tensor:
    """Key of the coarse cube of every cube of two voxels."""
    return pack(unpack(pairs).div(coarse_factor // 2, rounding_mode="floor"))


def patches(
    lattice: SampledField, grid: BrickGrid, pairs: Tensor, lipschitz: float, block_cells: int
) -> Iterator[Patch]:
    """Runs marching cubes on blocks of bricks; a block passes its node values on, so no node is evaluated twice.

    Args:
        lattice: the sampled field.
        grid: the bricks of the cubes.
        pairs: (n,) keys of cubes of two voxels, from `refine_cubes`.
        lipschitz: upper bound on the field's slope.
        block_cells: largest number of cells in the bricks of a block.
    """
    brick = torch.searchsorted(grid.cells, _parents(pairs, grid.size))
    bricks = max(block_cells // grid.size**3, 1)
    bounds = torch.arange(0, len(grid.cells) + bricks, bricks, device=brick.device)
    firsts = torch.searchsorted(brick, bounds).tolist()
    known = no_values(grid)
    for first, last, start in zip(firsts, firsts[1:], range(0, len(grid.cells), bricks), strict=False):
        block = open_block(grid, start, start + bricks, known)
        inside = unpack(pairs[first:last]) % (grid.size // 2)
        cubes = block.cell_indices(brick[first:last] - start, 2 * inside)
        cells = split_pairs(block, cubes, lattice.values, lipschitz * lattice.voxel_size)
        yield march(block, cells, lattice.values)
        if start + bricks < len(grid.cells):
            next_rank = grid.corners[start + bricks, 0]
            known = known.since(next_rank).updated(block.nodes.since(next_rank))


def weld(parts: list[Patch], grid: BrickGrid) -> tuple[Tensor, Tensor, Tensor]:
    """Joins the patches of blocks: sorted edge keys (e,), their end values (e, 2), faces (f, 3) of edge indices."""
    device = grid.cells.device
    edges = sorted_unique(torch.cat([grid.cells[:0], *(part.edges for part in parts)]))
    ends = torch.empty((len(edges), 2), dtype=torch.float64, device=device)
    faces = torch.empty((sum(len(part.faces) for part in parts), 3), dtype=torch.int64, device=device)
    done = 0
    for part in parts:
        index = torch.searchsorted(edges, part.edges)
        ends[index] = part.ends
        faces[done : done + len(part.faces)] = index[part.faces.long()]
        done += len(part.faces)
    return edges, ends, faces


def locate_vertices(lattice: SampledField, grid: BrickGrid, edges: Tensor, ends: Tensor, steps: int) -> Tensor:
    """World positions (e, 3) of the zero crossings, by linear interpolation and the method of false position.

    Each step evaluates the field at the estimate, replaces the end of the bracket that has the same sign, and
    interpolates again, so the estimate never leaves the bracket.
    """
    vertices = torch.empty((len(edges), 3), dtype=torch.float64, device=edges.device)
    for start in range(0, len(edges), lattice.chunk_points):
        part = slice(start, start + lattice.chunk_points)
        vertices[part] = _crossings(lattice, *edge_nodes(grid, edges[part]), ends[part], steps)
    return vertices


def _crossings(lattice: SampledField, node: Tensor, axis: Tensor, ends: Tensor, steps: int) -> Tensor:
    """World positions (e, 3) of `locate_vertices` on edges with lower nodes (e, 3), axes (e,), end values (e, 2)."""
    along = torch.nn.functional.one_hot(axis, 3)
    u_low, u_high = ends.unbind(1)
    low, high = torch.zeros_like(u_low), torch.ones_like(u_low)
    position = u_low / (u_low - u_high)
    for _ in range(steps):
        value = lattice.values(node + along * position[:, None])
        below = (value < 0) == (u_low < 0)
        low, high = torch.where(below, position, low), torch.where(below, high, position)
        u_low, u_high = torch.where(below, value, u_low), torch.where(below, u_high, value)
        position = low + (high - low) * (u_low / (u_low - u_high))
    return lattice.world(node + along * position.clamp(_END_MARGIN, 1.0 - _END_MARGIN)[:, None])


def unit_gradient(gradient: Field, vertices: Tensor, chunk_points: int) -> Tensor:
    """Unit vectors (v, 3) along the gradient; zero where the gradient vanishes."""
    normals = torch.empty_like(vertices)
    for start in range(0, len(vertices), chunk_points):
        normals[start : start + chunk_points] = gradient(vertices[start : start + chunk_points])
    length = normals.norm(dim=1, keepdim=True)
    return normals / torch.where(length > 0, length, 1.0)
