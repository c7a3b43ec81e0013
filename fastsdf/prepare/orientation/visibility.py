# SPDX-License-Identifier: MIT
"""Which side of each point is air, from places that see much of the scan: for partial views, where free paths fail.

Where the scanner stood, nothing lies between it and what it saw; and what is seen from a place in the air shows that
place its side of the air. So of many random free places that one is taken for air which sees most of the scan, then,
one by one, the place that sees most of what is not yet known, as long as it agrees with the others about what both see.
A place behind a wall sees the wall too, but from the other side, and little else; where it sees about as much (a bare
corner, from within and from behind), nothing is said. Free paths need walls all around; this does not.
"""

import math

import torch
from torch import Tensor

from fastsdf.numerics.quantiles import quantiles
from fastsdf.numerics.vectors import dot
from fastsdf.spatial.occupancy import Occupancy
from fastsdf.spatial.ray_march import fibonacci_directions, march

CANDIDATES = 400
AROUND = 64
SAMPLE = 2000
OUTSIDE = 0.25
MIN_CLEARANCE = 5
MIN_COSINE = 0.15
START_CELLS = 2.0
END_CELLS = 3.0
FAR_CELLS = 1e6
MOST_CONTRADICTED = 0.06
MIN_SHARED = 0.02
MIN_NEW = 0.004
MOST_PLACES = 60
MOST_WITNESSES = 32
WEIGHT_POWER = 4  # of the share of the scan that a place sees: one-sided things have air behind them, too
MOST_RIVALRY = 0.75
RAYS_AT_ONCE = 1 << 20


def visible_sides(grid: Occupancy, points: Tensor, normals: Tensor, seed: int = 0) -> tuple[Tensor, int]:
    """What places in the air say of the sides of points, and how many such places there are.

    Args:
        grid: voxels that hold scanned surface.
        points: (n, 3) float64 of the surface.
        normals: (n, 3) unit normals of arbitrary sign.
        seed: of the places and of the points that they are judged by.

    Returns:
        (n,) float64 in -1 to 1, the mean over the places that see a point of the side they see, +1 that of the normal,
        each weighted by how much of the scan it sees; 0 where none does.
    """
    generator = torch.Generator().manual_seed(seed)
    places = _free_places(grid, points, generator)
    chosen = torch.randperm(len(points), generator=generator)[:SAMPLE].to(points.device)
    air, weight = _in_the_air(sides(grid, points[chosen], normals[chosen], places))
    seen = sides(grid, points, normals, places[air])
    return (seen * weight).sum(1) / (seen.abs() * weight).sum(1).clamp_min(1e-12), len(air)


def visible_sides_from_outside(grid: Occupancy, points: Tensor, normals: Tensor) -> tuple[Tensor, int]:
    """As `visible_sides`, of an object: all places of a sphere around it are in the air."""
    low, high = (torch.as_tensor(corner).to(points) for corner in quantiles(points, (0.005, 0.995)))
    directions = fibonacci_directions(AROUND, math.pi, points.device).to(points)
    seen = sides(grid, points, normals, (low + high) / 2 + (high - low).norm() * directions)
    return seen.sum(1) / seen.abs().sum(1).clamp_min(1.0), AROUND


def sides(grid: Occupancy, points: Tensor, normals: Tensor, places: Tensor) -> Tensor:
    """(n, k) which side of points (n, 3) places (k, 3) see: +1 that of the normal, -1 the other, 0 none or edge-on."""
    at, out = (places - grid.origin) / grid.cell, []
    size = max(RAYS_AT_ONCE // max(len(places), 1), 1)
    for p, n in zip(points.split(size), normals.split(size), strict=True):
        toward = at - ((p - grid.origin) / grid.cell)[:, None]
        distance = toward.norm(dim=-1).clamp_min(1e-9)
        direction = toward / distance[..., None]
        start = (at - toward + START_CELLS * direction).reshape(-1, 3).float()
        free = march(grid.clearance, start, direction.reshape(-1, 3).float(), FAR_CELLS).view_as(distance)
        open_ = (_clearance_at(grid, start) > 0).view_as(distance)
        cosine = dot(direction, n[:, None])
        seen = open_ & ((free == 0) | (free > distance - END_CELLS)) & (cosine.abs() > MIN_COSINE)
        out.append(seen * cosine.sign())
    return torch.cat(out)


def _free_places(grid: Occupancy, points: Tensor, generator: torch.Generator) -> Tensor:
    """At most `CANDIDATES` random places (k, 3) in and around the points, away from occupied voxels."""
    low, high = (torch.as_tensor(corner).to(points) for corner in quantiles(points, (0.005, 0.995)))
    draws = torch.rand((4 * CANDIDATES, 3), generator=generator, dtype=points.dtype).to(points.device)
    places = low + ((1 + 2 * OUTSIDE) * draws - OUTSIDE) * (high - low)
    return places[_clearance_at(grid, (places - grid.origin) / grid.cell) >= MIN_CLEARANCE][:CANDIDATES]


def _clearance_at(grid: Occupancy, cells: Tensor) -> Tensor:
    """(n,) clearance at places (n, 3) in voxels; beyond the grid the most there can be."""
    shape = torch.tensor(grid.clearance.shape, device=cells.device)
    index = cells.floor().long()
    inside = ((index >= 0) & (index < shape)).all(1)
    i, j, k = index.clamp_min(0).minimum(shape - 1).unbind(1)
    return torch.where(inside, grid.clearance[i, j, k].int(), torch.iinfo(torch.uint8).max)


def _in_the_air(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Indices (a,) of the places that are taken for air, from the sides (n, k) that they see, and weights (a,).

    None if two sets of places could be. Besides those that see something new, the `MOST_WITNESSES` that see most.
    """
    if seen.shape[1] == 0 or rivalry(seen) > MOST_RIVALRY:
        return torch.zeros(0, dtype=torch.int64, device=seen.device), seen.new_zeros(0)
    known, air = torch.zeros_like(seen[:, 0]), torch.zeros_like(seen[0], dtype=torch.bool)
    for _ in range(MOST_PLACES):
        agreeing, fitting = _agreement(seen, known)
        if air.any():
            fitting &= agreeing > MIN_SHARED
        new = torch.where(fitting, (seen.abs() * (known == 0)[:, None]).mean(0), 0.0)
        best = new.argmax()
        if float(new[best]) < MIN_NEW:
            break
        air[best], known = True, torch.where(known == 0, seen[:, best], known)
    agreeing, fitting = _agreement(seen, known)
    witnesses = torch.where(fitting, agreeing, 0.0).topk(min(MOST_WITNESSES, len(agreeing)))
    air[witnesses.indices[witnesses.values > MIN_SHARED]] = True
    return air.nonzero()[:, 0], agreeing[air] ** WEIGHT_POWER


def _agreement(seen: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the points (k,) of which places see the side ``known`` (n,), and whether they contradict few others."""
    shared = seen * known[:, None]
    agreeing, against = (shared > 0).double().mean(0), (shared < 0).double().mean(0)
    return agreeing, against <= MOST_CONTRADICTED * (agreeing + against)


def rivalry(seen: Tensor) -> float:
    """How much the best place sees of those that see the other sides of what the best of all sees, by what that sees.

    ``seen`` (n, k), k > 0: the sides that places see.
    """
    counts = seen.abs().sum(0)
    first = counts.argmax()
    shared = seen * seen[:, first, None]
    against = (shared < 0).sum(0) > (shared > 0).sum(0)
    return float((counts * against).max() / counts[first].clamp_min(1.0))
