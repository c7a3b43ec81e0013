# SPDX-License-Identifier: MIT
"""Training points, drawn on the device from one seeded generator without host synchronisation."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.config import SamplingConfig

BOX_PADDING = 0.08


class TrainBatch(NamedTuple):
    """Points of one step in the unit frame.

    Attributes:
        surface: (s, 3) points of the scan.
        normals: (s, 3) their unit normals.
        confidence: (s,) how sure it is that these point into the air.
        near: (m, 3) points scattered around points of the scan.
        near_distance: (m,) signed distance of those to the tangent plane of their scan point.
        near_confidence: (m,) confidence of that plane's side.
        uniform: (k, 3) points uniform in the box.
    """

    surface: Tensor
    normals: Tensor
    confidence: Tensor
    near: Tensor
    near_distance: Tensor
    near_confidence: Tensor
    uniform: Tensor


@dataclass(frozen=True)
class SurfacePoints:
    """A scan ready for training, in the unit frame.

    Attributes:
        points: (n, 3) points.
        normals: (n, 3) unit normals, into the air as far as known.
        confidence: (n,) 0 (arbitrary sign) to 1.
        spacing: (n,) local point spacing.
        lower, upper: (3,) corners of the scene's box.
    """

    points: np.ndarray
    normals: np.ndarray
    confidence: np.ndarray
    spacing: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Sampler:
    """Draws training batches.

    Scan points are drawn with probability proportional to spacing^density_exponent (2 would be uniform in area, 0
    uniform in points), near points are Gaussian around such points with a deviation in local spacings, and uniform
    points fill the scene's box with a margin of `BOX_PADDING`.

    Args:
        surface: the scan.
        config: resolved sampling configuration.
        device: where to draw.
        dtype: of the points.
        seed: of the generator.
    """

    def __init__(self, surface: SurfacePoints, config: SamplingConfig, device: str, dtype: torch.dtype, seed: int):
        assert config.surface_points is not None and config.near_points is not None
        assert config.uniform_points is not None
        self._config = config
        self._counts = (config.surface_points, config.near_points, config.uniform_points)
        self.generator = torch.Generator(device).manual_seed(seed)
        weights = np.asarray(surface.spacing, np.float64) ** config.density_exponent
        cumulative = np.cumsum(weights)
        self._cumulative = torch.as_tensor(cumulative / cumulative[-1], dtype=torch.float64, device=device)
        self._points, self._normals, self._confidence, self._spacing, lower, upper = (
            torch.as_tensor(a, dtype=dtype, device=device)
            for a in (
                *(surface.points, surface.normals, surface.confidence, surface.spacing),
                *(surface.lower, surface.upper),
            )
        )
        self._lower = lower - BOX_PADDING
        self._extent = upper - lower + 2 * BOX_PADDING

    def draw(self) -> TrainBatch:
        """The next batch."""
        surface_count, near_count, uniform_count = self._counts
        index = self._draw_indices(surface_count + near_count)
        on, around = index[:surface_count], index[surface_count:]
        shift = self._config.near_spread * self._spacing[around, None] * self._normal((near_count, 3))
        near_distance = (shift * self._normals[around]).sum(-1)
        uniform = self._lower + self._extent * self._uniform((uniform_count, 3), self._points.dtype)
        return TrainBatch(
            self._points[on],
            self._normals[on],
            self._confidence[on],
            self._points[around] + shift,
            near_distance,
            self._confidence[around],
            uniform,
        )

    def _draw_indices(self, count: int) -> Tensor:
        position = self._uniform((count,), torch.float64)
        return torch.searchsorted(self._cumulative, position).clamp_max(len(self._points) - 1)

    def _uniform(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self._points.device, dtype=dtype)

    def _normal(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self._points.device, dtype=self._points.dtype)
