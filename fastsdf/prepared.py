# SPDX-License-Identifier: MIT
"""A scan as the fit sees it: measured, oriented, smoothed and normalised."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsdf.meshing.support import Support
from fastsdf.normalize import SceneTransform
from fastsdf.sampling import SurfacePoints


@dataclass(frozen=True)
class PreparedScan:
    """A scan measured and normalised.

    Attributes:
        transform: world <-> unit frame.
        support: the scan inside the scene's box, smoothed, in the world frame, with the scan's colours if it has any.
        surface: the same points in the unit frame.
        facts: figures for the report.
        measured: (n, 3) float32, the points of ``surface`` as they were measured, unit frame; None if not kept.
        held_out: (n,) bool, points that training does not see; None if not kept.
    """

    transform: SceneTransform
    support: Support
    surface: SurfacePoints
    facts: dict[str, Any]
    measured: np.ndarray | None = None
    held_out: np.ndarray | None = None

    @property
    def training(self) -> SurfacePoints:
        """The points that training sees."""
        if self.held_out is None or not self.held_out.any():
            return self.surface
        s, seen = self.surface, ~self.held_out
        columns = (values[seen] for values in (s.points, s.normals, s.confidence, s.spacing, s.trust))
        views = None if s.views is None else s.views[seen]
        return SurfacePoints(*columns, lower=s.lower, upper=s.upper, views=views)


def support_of(
    surface: SurfacePoints,
    transform: SceneTransform,
    noise_m: float,
    colors: np.ndarray | None = None,
) -> Support:
    """The measured surface in the world frame; colors: (n, 3) uint8 or None."""
    points = transform.to_world(surface.points)
    spacing = surface.spacing * transform.half_extent_m
    return Support(points, surface.normals, spacing, noise_m, colors, surface.trust)
