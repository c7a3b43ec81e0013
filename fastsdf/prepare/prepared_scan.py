# SPDX-License-Identifier: MIT
"""Data types of a scan that is ready for the fit: measured, oriented, smoothed and normalised."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fastsdf.prepare.normalize import SceneTransform

MIN_THICKNESS_SPACINGS = 0.2  # of a disc, in local spacings: a curved surface leaves its discs even without noise
MAX_RADIUS_SPACINGS = 3.0  # of a disc, in median spacings: isolated points must not support a large area. Chosen
UNKNOWN_NORMAL_WEIGHT = 0.5  # below it the axis counts as unknown: about half of these normals are 30 degrees off


@dataclass(frozen=True)
class Support:
    """The points of a scan with what is needed to decide which surface was measured, in world units.

    Attributes:
        points: (n, 3) float64 world points.
        normals: (n, 3) unit normals of arbitrary sign.
        spacing: (n,) local point spacing, world units.
        noise: standard deviation of the points about the surface, world units.
        colors: (n, 3) uint8 RGB, or None.
        normal_weight: (n,) reliability of the normals' axes, see `SurfacePoints`; None: all are reliable.
    """

    points: np.ndarray
    normals: np.ndarray
    spacing: np.ndarray
    noise: float
    colors: np.ndarray | None = None
    normal_weight: np.ndarray | None = None

    @cached_property
    def median_spacing(self) -> float:
        """Median of ``spacing``."""
        return float(np.median(self.spacing))

    def radii(self, spacings: float) -> np.ndarray:
        """(n,) radius of each point's disc: ``spacings`` local spacings, each limited to 3 median spacings."""
        return spacings * np.minimum(self.spacing, MAX_RADIUS_SPACINGS * self.median_spacing)

    def thickness(self, sigmas: float) -> np.ndarray:
        """(n,) half thickness of each disc: ``sigmas`` deviations of the noise, at least a fifth of the spacing."""
        return np.maximum(sigmas * self.noise, MIN_THICKNESS_SPACINGS * self.spacing)


@dataclass(frozen=True)
class SurfacePoints:
    """A scan ready for training, in the unit frame.

    Attributes:
        points: (n, 3) points.
        normals: (n, 3) unit normals, into the air as far as known.
        confidence: (n,) confidence that a normal points into the air, 0 (arbitrary sign) to 1.
        spacing: (n,) local point spacing.
        normal_weight: (n,) weight of the normals: 0 to 1 by the reliability of their axes, above 1 on planes that
            many points agree on.
        lower, upper: (3,) corners of the scene's box.
        views: (n, 3) vectors from each point to the sensor that saw it; None if unknown.
    """

    points: np.ndarray
    normals: np.ndarray
    confidence: np.ndarray
    spacing: np.ndarray
    normal_weight: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    views: np.ndarray | None = None


@dataclass(frozen=True)
class PreparedScan:
    """A scan measured, oriented, smoothed and normalised.

    Attributes:
        transform: world <-> unit frame.
        surface: the points inside the scene's box, unit frame.
        noise_m: standard deviation of the points about the surface, metres.
        facts: statistics for the report and run.json.
        colors: (n, 3) uint8 RGB of the points, or None.
        measured: (n, 3) float32, the points of ``surface`` before smoothing, unit frame; None if not stored.
        held_out: (n,) bool, points that training does not see; None if not stored.
        view_motions: index of each view -> (4, 4) float64 motion that made it agree with the others, world to world;
            None if no view was moved, or if not stored.
    """

    transform: SceneTransform
    surface: SurfacePoints
    noise_m: float
    facts: dict[str, Any]
    colors: np.ndarray | None = None
    measured: np.ndarray | None = None
    held_out: np.ndarray | None = None
    view_motions: Mapping[int, np.ndarray] | None = None

    @cached_property
    def support(self) -> Support:
        """The points of ``surface`` in the world frame."""
        surface, half_extent_m = self.surface, self.transform.half_extent_m
        points, spacing = self.transform.to_world(surface.points), surface.spacing * half_extent_m
        return Support(points, surface.normals, spacing, self.noise_m, self.colors, surface.normal_weight)

    @property
    def training(self) -> SurfacePoints:
        """The points that training sees."""
        if self.held_out is None or not self.held_out.any():
            return self.surface
        s, seen = self.surface, ~self.held_out
        columns = (values[seen] for values in (s.points, s.normals, s.confidence, s.spacing, s.normal_weight))
        views = None if s.views is None else s.views[seen]
        return SurfacePoints(*columns, lower=s.lower, upper=s.upper, views=views)
