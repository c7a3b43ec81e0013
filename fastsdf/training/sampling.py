# SPDX-License-Identifier: MIT
"""Draws training points on the device, from one seeded generator and without host synchronisation."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.models import SamplingConfig
from fastsdf.prepare.normalize import BOX_PADDING
from fastsdf.prepare.prepared_scan import SurfacePoints
from fastsdf.spatial.knn import point_index
from fastsdf.training.disc_targets import NearTargets, near_targets, pool_size
from fastsdf.training.ray_targets import free_targets


class TrainBatch(NamedTuple):
    """Points of one step in the unit frame.

    Attributes:
        surface: (s, 3) points of the scan.
        normals: (s, 3) their normals; the length of a normal is its weight.
        confidence: (s,) confidence that these normals point into the air, 0 to 1.
        near: (m, 3) points near the surface.
        near_lower, near_upper: (m,) interval that contains their signed distance (`fastsdf.training.disc_targets`).
        near_confidence: (m,) confidence in this interval, 0 to 1.
        uniform: (k, 3) points uniform in the box.
    """

    surface: Tensor
    normals: Tensor
    confidence: Tensor
    near: Tensor
    near_lower: Tensor
    near_upper: Tensor
    near_confidence: Tensor
    uniform: Tensor


class Sampler:
    """Draws training batches.

    The probability of a scan point is proportional to spacing^density_exponent (2 would be uniform in area, 0 uniform
    in points) and higher where the normal weight is low. Near points come from a pool that is scattered around points
    drawn in this way and along their rays. Uniform points fill the scene's box and a margin of `BOX_PADDING`.

    Args:
        surface: the scan.
        config: resolved sampling configuration.
        device: device to draw on.
        dtype: floating-point type of the points.
        seed: seed of the generator.
    """

    def __init__(self, surface: SurfacePoints, config: SamplingConfig, device: str, dtype: torch.dtype, seed: int):
        self.set_counts(config)
        self.generator = torch.Generator(device).manual_seed(seed)

        def on_device(values: np.ndarray | Tensor, kind: torch.dtype = dtype) -> Tensor:
            return torch.as_tensor(values, dtype=kind, device=device)

        weights = on_device(surface.spacing, torch.float64) ** config.density_exponent
        weights *= 1 + config.rough_weight * (1 - on_device(surface.normal_weight, torch.float64).clamp_max(1))
        self._cumulative = weights.cumsum(0) / weights.sum()
        weighted = surface.normals * surface.normal_weight[:, None]
        self._surface = _joined_columns(on_device(a) for a in (surface.points, weighted, surface.confidence))
        pool = self._near_pool(surface, config) if config.near_points else _EMPTY_POOL
        self._pool = _joined_columns(on_device(a) for a in pool)
        self._lower = on_device(surface.lower) - BOX_PADDING
        self._extent = on_device(surface.upper) + BOX_PADDING - self._lower

    def set_counts(self, config: SamplingConfig) -> None:
        """Sets the numbers of points per batch from a resolved configuration."""
        assert config.surface_points is not None and config.near_points is not None
        assert config.uniform_points is not None
        self.counts = (config.surface_points, config.near_points, config.uniform_points)

    def draw(self) -> TrainBatch:
        """Draws the next batch."""
        surface_count, near_count, uniform_count = self.counts
        near_index = (self._uniform((near_count,), torch.float64) * len(self._pool)).long()
        uniform = self._lower + self._extent * self._uniform((uniform_count, 3), self._lower.dtype)
        surface_index = self._scan_points(surface_count)
        points, normals, confidence = self._surface.index_select(0, surface_index).split((3, 3, 1), dim=1)
        near, *targets = self._pool.index_select(0, near_index).split((3, 1, 1, 1), dim=1)
        return TrainBatch(points, normals, confidence[:, 0], near, *(t[:, 0] for t in targets), uniform=uniform)

    def _scan_points(self, count: int) -> Tensor:
        """(count,) indices of randomly drawn scan points."""
        drawn = torch.searchsorted(self._cumulative, self._uniform((count,), torch.float64))
        return drawn.clamp_max(len(self._cumulative) - 1)

    def _uniform(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self._cumulative.device, dtype=dtype)

    def _near_pool(self, surface: SurfacePoints, config: SamplingConfig) -> NearTargets:
        """The pool of near points, scattered around scan points drawn as for a batch, and along their rays."""
        size = pool_size(len(surface.points), config.near_pool, self._cumulative.device)
        on_rays = 0 if surface.views is None else round(config.ray_share * size)

        def float64(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64, device=self._cumulative.device)

        index, spacing = point_index(float64(surface.points)), float64(surface.spacing)
        shape = (size - on_rays, 3)
        shifts = torch.randn(shape, generator=self.generator, device=spacing.device, dtype=torch.float64)
        attributes = float64(surface.normals), spacing, float64(surface.confidence), float64(surface.normal_weight)
        around = near_targets(
            index, *attributes, drawn=self._scan_points(shape[0]), shifts=shifts, spread=config.near_spread
        )
        if not on_rays:
            return around
        assert surface.views is not None
        drawn, ray_positions = self._scan_points(on_rays), self._uniform((on_rays,), torch.float64)
        rays = free_targets(index, float64(surface.views), spacing, drawn, ray_positions)
        return NearTargets(*(torch.cat(pair) for pair in zip(around, rays, strict=True)))


def _joined_columns(columns: Iterable[Tensor]) -> Tensor:
    """Joins attributes of points, (n, c) or (n,) each, into one table (n, sum of c), so that a draw is one read."""
    return torch.cat([c[:, None] if c.ndim == 1 else c for c in columns], dim=1)


# For fits that draw no near points.
_EMPTY_POOL = NearTargets(torch.zeros(0, 3), torch.zeros(0), torch.zeros(0), torch.zeros(0))
