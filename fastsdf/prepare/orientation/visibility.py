# SPDX-License-Identifier: MIT
"""Finds the side of each point that is air from viewpoints that see much of the scan, also where free paths fail.

Nothing lies between a scanner and what it saw, and a surface seen from the air shows its air side. So random positions
in free space are tried as viewpoints. The first one chosen is the one that sees most of the scan; then, one by one, the
one that sees most of what no chosen viewpoint has seen, as long as it agrees with the others about what both see. A
position behind a wall sees the wall too, but from the other side, and little else. Where such a position sees almost as
much as the best viewpoint (a bare corner, from inside and from behind), no side is given. Unlike free paths, viewpoints
do not need walls all around, so they work on partial views.
"""

import math

import torch
from torch import Tensor

from fastsdf.numerics.quantiles import quantiles
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.occupancy import Occupancy
from fastsdf.spatial.ray_march import fibonacci_directions, march

CANDIDATES = 400  # random positions tried in a room; chosen; the time grows with it
OUTSIDE_VIEWPOINTS = 64  # on the sphere around an object; chosen
SAMPLE = 2000  # points by which positions are judged; chosen: shares are known to 0.01
OUTSIDE_SHARE = 0.25  # of the extent; positions are drawn this far beyond partial views, too. Chosen
MIN_CLEARANCE = 5  # voxels to the nearest surface; a scanner needs that much room. Chosen
MIN_COSINE = 0.15  # 9 degrees from the surface; at flatter views the side seen is uncertain
START_CELLS = 2.0  # in voxels; clears the voxels of the point's own surface
END_CELLS = 3.0  # in voxels; rounding of the start and the end of a ray may cost this much of its length
FAR_CELLS = 1e6  # in voxels; longer than any ray in a grid
MAX_CONTRADICTED_SHARE = 0.06  # of the known points that a position sees. Chosen
MIN_SHARED = 0.02  # share of the sample that a new viewpoint must see in agreement with the others. Chosen
MIN_NEW = 0.004  # share of the sample that must be new: 8 points. Chosen
MAX_VIEWPOINTS = 60  # bounds the time; MIN_NEW usually ends the search earlier
MAX_WITNESSES = 32  # further viewpoints that vote; without them 200-degree sectors scored worse (notebook, viewpoints)
# There is air behind objects that were scanned from one side, too, but less of the scan is seen from there. With a
# power of 1 the back of a chair faced the wrong way (notebook, viewpoints).
WEIGHT_POWER = 4  # of the share of the scan that a viewpoint sees
MAX_RIVALRY = 0.75  # above it inside and outside look alike, as at a bare corner of two planes. Chosen
RAYS_AT_ONCE = 1 << 20  # bounds memory


def visible_sides(grid: Occupancy, points: Tensor, normals: Tensor, seed: int = 0) -> tuple[Tensor, int]:
    """Lets viewpoints in the air of a room vote on the air side of points.

    Args:
        grid: voxels that contain scanned surface.
        points: (n, 3) float64 points of the surface.
        normals: (n, 3) unit normals of arbitrary sign.
        seed: seed of the candidate positions and of the points by which they are judged.

    Returns:
        (n,) float64 side in -1 to 1, +1 for the side of the normal: the mean over the viewpoints that see a point,
        weighted by the share of the scan that each sees; 0 where none does. And the number of viewpoints.
    """
    generator = torch.Generator().manual_seed(seed)
    candidates = _free_positions(grid, points, generator)
    sample = torch.randperm(len(points), generator=generator)[:SAMPLE].to(points.device)
    chosen, weight = _choose_viewpoints(sides(grid, points[sample], normals[sample], candidates))
    seen = sides(grid, points, normals, candidates[chosen])
    return (seen * weight).sum(1) / (seen.abs() * weight).sum(1).clamp_min(1e-12), len(chosen)


def visible_sides_from_outside(grid: Occupancy, points: Tensor, normals: Tensor) -> tuple[Tensor, int]:
    """Same as `visible_sides` for an object: all viewpoints lie on a sphere around it, which is in the air."""
    low, high = (torch.as_tensor(corner).to(points) for corner in quantiles(points, (0.005, 0.995)))
    directions = fibonacci_directions(OUTSIDE_VIEWPOINTS, math.pi, points.device).to(points)
    seen = sides(grid, points, normals, (low + high) / 2 + (high - low).norm() * directions)
    return seen.sum(1) / seen.abs().sum(1).clamp_min(1.0), OUTSIDE_VIEWPOINTS


def sides(grid: Occupancy, points: Tensor, normals: Tensor, viewpoints: Tensor) -> Tensor:
    """(n, k) side of each point that each viewpoint sees: +1 that of the normal, -1 the other, 0 hidden or edge-on.

    Args:
        grid: voxels that contain scanned surface.
        points: (n, 3).
        normals: (n, 3) unit normals.
        viewpoints: (k, 3).
    """
    eye, out = (viewpoints - grid.origin) / grid.cell, []
    size = max(RAYS_AT_ONCE // max(len(viewpoints), 1), 1)
    for p, n in zip(points.split(size), normals.split(size), strict=True):
        to_eye = eye - ((p - grid.origin) / grid.cell)[:, None]
        distance = to_eye.norm(dim=-1).clamp_min(1e-9)
        direction = to_eye / distance[..., None]
        start = (eye - to_eye + START_CELLS * direction).reshape(-1, 3).float()
        free = march(grid.clearance, start, direction.reshape(-1, 3).float(), FAR_CELLS).view_as(distance)
        start_is_free = (_clearance_at(grid, start) > 0).view_as(distance)
        cosine = dot(direction, n[:, None])
        visible = (free == 0) | (free > distance - END_CELLS)  # 0: the ray left the grid without hitting anything
        seen = start_is_free & visible & (cosine.abs() > MIN_COSINE)
        out.append(seen * cosine.sign())
    return torch.cat(out)


def _free_positions(grid: Occupancy, points: Tensor, generator: torch.Generator) -> Tensor:
    """At most `CANDIDATES` random positions (k, 3) in and around the points, away from occupied voxels."""
    low, high = (torch.as_tensor(corner).to(points) for corner in quantiles(points, (0.005, 0.995)))
    draws = torch.rand((4 * CANDIDATES, 3), generator=generator, dtype=points.dtype).to(points.device)
    positions = low + ((1 + 2 * OUTSIDE_SHARE) * draws - OUTSIDE_SHARE) * (high - low)
    clearance = _clearance_at(grid, (positions - grid.origin) / grid.cell)
    return positions[clearance >= MIN_CLEARANCE][:CANDIDATES]


def _clearance_at(grid: Occupancy, positions: Tensor) -> Tensor:
    """(n,) clearance at positions (n, 3) given in voxels; the maximum, 255, outside the grid."""
    shape = torch.tensor(grid.clearance.shape, device=positions.device)
    index = positions.floor().long()
    inside = ((index >= 0) & (index < shape)).all(1)
    i, j, k = index.clamp_min(0).minimum(shape - 1).unbind(1)
    return torch.where(inside, grid.clearance[i, j, k].int(), torch.iinfo(torch.uint8).max)


def _choose_viewpoints(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Chooses the positions that are taken for air.

    These are the positions that each see something new without contradicting the others, and the `MAX_WITNESSES` that
    see most in agreement with them. None is chosen if two contradicting sets of positions see about as much.

    Args:
        seen: (n, k) sides of n sample points that k positions see.

    Returns:
        Indices (a,) of the chosen positions and their weights (a,).
    """
    if seen.shape[1] == 0 or rivalry(seen) > MAX_RIVALRY:
        return torch.zeros(0, dtype=torch.int64, device=seen.device), seen.new_zeros(0)
    known, chosen = torch.zeros_like(seen[:, 0]), torch.zeros_like(seen[0], dtype=torch.bool)
    for _ in range(MAX_VIEWPOINTS):
        agreeing, fitting = _agreement(seen, known)
        if chosen.any():
            fitting &= agreeing > MIN_SHARED
        new = torch.where(fitting, (seen.abs() * (known == 0)[:, None]).mean(0), 0.0)
        best = new.argmax()
        if float(new[best]) < MIN_NEW:
            break
        chosen[best], known = True, torch.where(known == 0, seen[:, best], known)
    agreeing, fitting = _agreement(seen, known)
    witnesses = torch.where(fitting, agreeing, 0.0).topk(min(MAX_WITNESSES, len(agreeing)))
    chosen[witnesses.indices[witnesses.values > MIN_SHARED]] = True
    return chosen.nonzero()[:, 0], agreeing[chosen] ** WEIGHT_POWER


def _agreement(seen: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """(k,) share of the points that each position sees from the side ``known`` (n,), and (k,) bool: few contradict."""
    shared = seen * known[:, None]
    agreeing, against = (shared > 0).double().mean(0), (shared < 0).double().mean(0)
    return agreeing, against <= MAX_CONTRADICTED_SHARE * (agreeing + against)


def rivalry(seen: Tensor) -> float:
    """Points seen by the best position that contradicts the best of all, relative to the points seen by the latter.

    A position contradicts another if it sees the opposite side of most points that both see.

    Args:
        seen: (n, k) sides of n points that k positions see; k > 0.
    """
    counts = seen.abs().sum(0)
    first = counts.argmax()
    shared = seen * seen[:, first, None]
    against = (shared < 0).sum(0) > (shared > 0).sum(0)
    return float((counts * against).max() / counts[first].clamp_min(1.0))
