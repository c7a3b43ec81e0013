# SPDX-License-Identifier: MIT
"""A scanned sphere with uneven points, query points near it, and its exact signed distance."""

import numpy as np
import torch
from torch import Tensor

from fastsdf.prepare.prepared_scan import Support

SPACING = 0.02  # mean distance of points, metres
RADIUS = 0.4  # metres


def sphere_support(seed: int = 0, count: int = 3000) -> Support:
    """Noisy points on a sphere with different spacings and normal weights."""
    rng = np.random.default_rng(seed)
    normals = rng.standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = (RADIUS + 0.003 * rng.standard_normal((count, 1))) * normals
    spacing = SPACING * rng.uniform(0.7, 1.5, count)
    return Support(points, normals, spacing, 0.003, normal_weight=rng.choice([0.15, 0.6, 1.0, 5.0], count))


def query_points(count: int = 37, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Points (count, 3) near the sphere, and unit normals (count, 3) near its normals."""
    rng = np.random.default_rng(seed)
    normals = rng.standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turned = normals + 0.3 * rng.standard_normal((count, 3))
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return torch.from_numpy((RADIUS + 0.01 * rng.standard_normal((count, 1))) * normals), torch.from_numpy(turned)


def sdf(x: Tensor) -> Tensor:
    """Signed distance (n,) of points (n, 3) to the sphere, negative inside."""
    return x.norm(dim=1) - RADIUS
