# SPDX-License-Identifier: MIT
"""Which side of each point is air, from the points alone: compare the mean free path on both sides.

Inside a scanned building, air is where one can go far and still hit the scan: solids are thin or unscanned inside, so
rays into them soon hit the far side or leave the scan's bounds, which counts as no path at all. Rays are marched
through an occupancy grid with steps bounded by its chessboard distance transform, on any torch device.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import KDTree
from torch import Tensor

from fastsdf.cloud_thinning import thin
from fastsdf.local_geometry import measure_local_geometry

CONE = math.radians(75.0)
RAYS = 16
MAX_PATH_CELLS = 400
START_CELLS = 1.5
SCALE_CELLS = 20.0
DOUBTFUL_CELLS = 8.0
SMOOTHING_ROUNDS = 10
MAX_VOXELS = 1 << 26
RAYS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Orientation:
    """The result for a scan.

    Attributes:
        sign: (n,) +1 or -1: what to multiply each normal with so that it points into the air.
        confidence: (n,) 0 to 1.
        doubtful_share: share of the points whose two sides look alike.
    """

    sign: np.ndarray
    confidence: np.ndarray
    doubtful_share: float


@dataclass(frozen=True)
class Occupancy:
    """Voxels that hold scanned surface.

    Attributes:
        origin: (3,) lower corner of the grid, in the units of the points.
        cell: voxel edge.
        clearance: (x, y, z) uint8, chessboard distance in voxels to the nearest occupied voxel, 0 in it.
    """

    origin: np.ndarray
    cell: float
    clearance: np.ndarray


def occupancy(points: np.ndarray, cell: float) -> Occupancy:
    """Voxels of edge ``cell`` with at least three points in their 3x3x3 neighbourhood and one of their own.

    The bounds are the 0.1% and 99.9% quantiles of the occupied voxels, ten voxels wider.
    """
    low = points.min(0)
    ijk = np.floor((points - low) / cell).astype(np.int64)
    first, last = np.quantile(ijk, [0.001, 0.999], axis=0, method="nearest").astype(np.int64)
    first, last = first - 10, last + 11
    ijk = ijk[((ijk >= first) & (ijk < last)).all(1)] - first
    counts = np.zeros(last - first, np.float32)
    np.add.at(counts, tuple(ijk.T), 1.0)
    crowded = ndimage.uniform_filter(counts, 3, mode="constant") * 27 > 2.5
    distance = np.empty(counts.shape, np.int32)
    ndimage.distance_transform_cdt(~((counts > 0) & crowded), "chessboard", distances=distance)
    return Occupancy(low + first * cell, cell, np.minimum(distance, 255).astype(np.uint8))


def orient(points: np.ndarray, normals: np.ndarray, spacing: np.ndarray, device: str = "cpu") -> Orientation:
    """Turns unoriented normals towards the air.

    Args:
        points: (n, 3) float64 scan.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing.
        device: where to march the rays.
    """
    cell = grid_cell(points, spacing)
    grid = occupancy(points, cell)
    p, n = surfels(points, cell)
    difference = path_difference(grid, p, n, device) / cell
    tree = KDTree(p)
    score = _smooth(p, n, np.tanh(difference / SCALE_CELLS), tree, cell)
    value, weight = _vote(points, normals, p, n, score, tree, cell)
    confidence = np.abs(value) / np.maximum(weight, 1e-12)
    doubtful = float(np.mean(np.abs(difference) < DOUBTFUL_CELLS))
    return Orientation(np.where(value < 0, -1.0, 1.0), np.clip(confidence, 0.0, 1.0), doubtful)


def surfels(points: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (m, 3) about 1.2 cells apart and their PCA normals, measured on a cloud thinned to 0.6 cells."""
    even = points[thin(points, 0.6 * cell)]
    chosen = thin(even, 1.2 * cell)
    return even[chosen], measure_local_geometry(even).normals[chosen]


def grid_cell(points: np.ndarray, spacing: np.ndarray) -> float:
    """Voxel edge for `occupancy`: 1.3 mean spacings, but no more voxels than `MAX_VOXELS`."""
    extent = np.quantile(points, 0.999, axis=0) - np.quantile(points, 0.001, axis=0)
    area = float(np.sum(np.minimum(spacing, 4 * np.median(spacing)) ** 2))
    cell = 1.3 * math.sqrt(area / len(points))
    return max(cell, float((np.prod(extent + 20 * cell) / MAX_VOXELS) ** (1 / 3)))


def path_difference(grid: Occupancy, points: np.ndarray, normals: np.ndarray, device: str) -> np.ndarray:
    """(n,) mean free path on the side of the normal minus that on the other side, in the units of the points."""
    clearance = torch.as_tensor(grid.clearance, device=device)
    origin = torch.as_tensor(grid.origin, device=device)
    start = ((torch.as_tensor(points, device=device) - origin) / grid.cell).float()
    axis = torch.as_tensor(normals, device=device).float()
    paths = [mean_free_path(clearance, start + START_CELLS * s * axis, s * axis) for s in (1.0, -1.0)]
    return ((paths[0] - paths[1]) * grid.cell).double().cpu().numpy()


def mean_free_path(clearance: Tensor, start: Tensor, axis: Tensor) -> Tensor:
    """Mean length (n,) of `RAYS` rays in a cone around ``axis`` (n, 3), in voxels; escaping rays count as 0."""
    out = torch.zeros(len(start), device=start.device)
    directions = _cone(start.device)
    step = max(RAYS_AT_ONCE // RAYS, 1)
    for i in range(0, len(start), step):
        a = axis[i : i + step]
        rays = _around(a, directions)
        origins = start[i : i + step, None].expand_as(rays).reshape(-1, 3)
        length = march(clearance, origins, rays.reshape(-1, 3), MAX_PATH_CELLS)
        out[i : i + step] = length.view(-1, RAYS).mean(1)
    return out


def march(clearance: Tensor, origins: Tensor, directions: Tensor, limit: float) -> Tensor:
    """Free length (r,) of rays through an occupancy grid, in voxels: at most ``limit``, 0 where one leaves it."""
    shape = torch.tensor(clearance.shape, device=origins.device)
    flat = clearance.reshape(-1)
    stride = torch.tensor((clearance.shape[1] * clearance.shape[2], clearance.shape[2], 1), device=origins.device)
    length = torch.zeros(len(origins), device=origins.device)
    live = torch.arange(len(origins), device=origins.device)
    o, d, t = origins, directions, length.clone()
    while len(live):
        cell = torch.floor(o + t[:, None] * d).long()
        inside = ((cell >= 0) & (cell < shape)).all(1)
        free = flat[((cell.clamp_min(0)).minimum(shape - 1) * stride).sum(1)].float()
        done = ~inside | (free == 0) | (t >= limit)
        length[live[done]] = torch.where(inside, t.clamp_max(limit), 0.0)[done]
        go = ~done
        live, o, d = live[go], o[go], d[go]
        t = t[go] + (free[go] - 1).clamp_min(0.7)
    return length


def _cone(device: torch.device) -> Tensor:
    """(RAYS, 3) directions spread evenly over the cone around +z (Fibonacci spiral)."""
    i = torch.arange(RAYS, device=device, dtype=torch.float32) + 0.5
    z = 1 - i / RAYS * (1 - math.cos(CONE))
    angle = math.pi * (1 + math.sqrt(5.0)) * i
    r = (1 - z * z).sqrt()
    return torch.stack([r * angle.cos(), r * angle.sin(), z], 1)


def _around(axis: Tensor, directions: Tensor) -> Tensor:
    """(n, RAYS, 3): the cone's directions turned from +z to each axis (n, 3) (Duff et al. 2017, revised frame)."""
    x, y, z = axis.unbind(1)
    sign = torch.where(z < 0, -1.0, 1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    u = torch.stack([1 + sign * x * x * a, sign * b, -sign * x], 1)
    v = torch.stack([b, sign + y * y * a, -y], 1)
    return directions[:, 0:1] * u[:, None] + directions[:, 1:2] * v[:, None] + directions[:, 2:3] * axis[:, None]


def _pair_weights(p: np.ndarray, n: np.ndarray, q: np.ndarray, m: np.ndarray, cell: float) -> np.ndarray:
    """Weights (n, k) between points p, n (n, 3) and their neighbours q, m (n, k, 3), signed by the normals.

    The offset from the plane is weighted apart from the distance, which keeps the two faces of a board apart.
    """
    apart = q - p[:, None]
    cosine = np.einsum("nkc,nc->nk", m, n)
    offset = np.einsum("nkc,nc->nk", apart, n)
    plane = np.exp(-0.5 * (offset / (0.4 * cell)) ** 2)
    near = np.exp(-0.5 * (apart**2).sum(-1) / (1.6 * cell) ** 2)
    return cosine * plane * near


def _smooth(p: np.ndarray, n: np.ndarray, unary: np.ndarray, tree: KDTree, cell: float) -> np.ndarray:
    """Signed scores (n,) relaxed over 12 neighbours, keeping 30% of the unary score in each round."""
    index = np.asarray(tree.query(p, min(13, len(p)), workers=-1)[1])[:, 1:]
    w = _pair_weights(p, n, p[index], n[index], cell)
    w /= np.abs(w).sum(1, keepdims=True) + 1e-3
    score = unary
    for _ in range(SMOOTHING_ROUNDS):
        score = 0.3 * unary + 0.7 * (w * score[index]).sum(1)
    return score


def _vote(
    points: np.ndarray, normals: np.ndarray, p: np.ndarray, n: np.ndarray, score: np.ndarray, tree: KDTree, cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Signed score (n,) of every point from its 8 nearest surfels, and the sum of the weights' magnitudes."""
    value, weight = np.empty(len(points)), np.empty(len(points))
    for i in range(0, len(points), 1 << 18):
        part = slice(i, i + (1 << 18))
        _, index = tree.query(points[part], min(8, len(p)), workers=-1)
        w = _pair_weights(points[part], normals[part], p[index], n[index], cell)
        value[part], weight[part] = (w * score[index]).sum(1), np.abs(w).sum(1)
    return value, weight
