# SPDX-License-Identifier: MIT
"""Removes range noise along the normals where neighbouring points agree on a plane or a gentle curve.

Each round averages over the nearest neighbours with bilateral weights (Jones et al. 2003: by distance, offset from the
tangent plane and angle between normals): first the normals, then the positions along them. Points at edges, on thin
sheets and without neighbours on their plane do not move, because neighbours that lie off the plane or face another way
get almost no weight.
"""

import math

import torch
from torch import Tensor

from fastsdf.numerics.chunks import chunk_size

SPAN_SPACINGS = 2.5  # width of the weight by distance; chosen: about the radius of 16 neighbours (2.3 spacings)
OFFSET_SIGMAS = 2.0  # width of the weight by offset; chosen: above the 1.4 by which two noisy points differ
ANGLE = math.radians(25.0)  # width of the weight by angle; chosen: keeps edges and follows gentle curves
MAX_SHIFT_SIGMAS = 3.0  # a larger shift would move shape, not noise (the 3-sigma rule)
CHUNK = (1 << 16, 1 << 19)  # points at a time on a CPU, elsewhere; bounds memory


def smooth_points(
    points: Tensor, normals: Tensor, spacing: Tensor, nearest: Tensor, noise: Tensor, rounds: int
) -> tuple[Tensor, Tensor]:
    """Averages the noise out of points and normals, over a width of about ``sqrt(rounds)`` neighbourhoods.

    Args:
        points: (n, 3) float64.
        normals: (n, 3) unit normals; neighbours that face another way count as another surface.
        spacing: (n,) local point spacing.
        nearest: (n, k + 1) int64 indices of each point's nearest points, the point itself first.
        noise: (n,) standard deviation of the noise at each point, in the units of the points.
        rounds: number of rounds; 0 returns the input.

    Returns:
        (n, 3) float64 points, moved by at most three times ``noise``, and (n, 3) unit normals.
    """
    if rounds == 0 or noise.max() <= 0:
        return points, normals
    origin = points.mean(0)
    index = nearest[:, 1:]
    start, n, reach = (points - origin).float(), normals.float(), (SPAN_SPACINGS * spacing).float()
    noise = noise.float()
    p = start
    for _ in range(rounds):
        n = _chunked(_average_normals, p, n, index, reach, noise)
        p = _chunked(_average_offsets, p, n, index, reach, noise)
        shift = p - start
        kept_share = MAX_SHIFT_SIGMAS * noise / shift.norm(dim=1).clamp_min(1e-12)
        p = start + shift * kept_share.clamp_max(1)[:, None]
    return p.double() + origin, n.double()


def _chunked(step, p: Tensor, n: Tensor, index: Tensor, reach: Tensor, noise: Tensor) -> Tensor:
    size = chunk_size(p.device, *CHUNK)
    return torch.cat([step(p, n, index, reach, noise, slice(i, i + size)) for i in range(0, len(p), size)])


def _average_normals(p: Tensor, n: Tensor, index: Tensor, reach: Tensor, noise: Tensor, part: slice) -> Tensor:
    weight, _ = _weights(p, n, index, reach, noise, part)
    total = n[part] + (weight[..., None] * n[index[part]]).sum(1)
    return torch.nn.functional.normalize(total, dim=1)


def _average_offsets(p: Tensor, n: Tensor, index: Tensor, reach: Tensor, noise: Tensor, part: slice) -> Tensor:
    weight, offset = _weights(p, n, index, reach, noise, part)
    mean = (weight * offset).sum(1) / (1 + weight.sum(1))
    return p[part] + mean[:, None] * n[part]


def _weights(p: Tensor, n: Tensor, index: Tensor, reach: Tensor, noise: Tensor, part: slice) -> tuple[Tensor, Tensor]:
    """Weights (m, k) of the neighbours and their offsets (m, k) from each point's tangent plane."""
    to_neighbour = p[index[part]] - p[part, None]
    offset = (to_neighbour * n[part, None]).sum(-1)
    cosine = (n[index[part]] * n[part, None]).sum(-1)
    exponent = to_neighbour.square().sum(-1) / reach[part, None].square()
    exponent = exponent + (offset / (OFFSET_SIGMAS * noise[part, None])).square()
    exponent = exponent + (1 - cosine) / (1 - math.cos(ANGLE))
    return torch.exp(-0.5 * exponent), offset
