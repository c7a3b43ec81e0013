# SPDX-License-Identifier: MIT
"""A fitted field seen from the world: signed distances in metres at world points, and the mesh of its zero set."""

from dataclasses import dataclass

import numpy as np
import torch

from fastsdf.config import MeshConfig
from fastsdf.field import HashGridSDF
from fastsdf.meshing import drop_small_components, extract_surface, trim_unsupported
from fastsdf.normalize import SceneTransform
from fastsdf.scan import TriangleMesh

CHUNK = 1 << 18


@dataclass(frozen=True)
class Support:
    """Where a scan measured surface.

    Attributes:
        points_m: (n, 3) float64 world points.
        spacing_m: (n,) local point spacing.
    """

    points_m: np.ndarray
    spacing_m: np.ndarray

    def reach(self, config: MeshConfig) -> np.ndarray:
        """(n,) distance from each point up to which surface counts as supported."""
        assert config.support_min_m is not None and config.support_max_m is not None
        return np.clip(config.support_spacings * self.spacing_m, config.support_min_m, config.support_max_m)


@dataclass(frozen=True)
class FittedField:
    """The result of a fit.

    Attributes:
        field: the trained network (unit frame).
        transform: world <-> unit frame.
        support: where the scan supports a surface.
    """

    field: HashGridSDF
    transform: SceneTransform
    support: Support

    def sdf(self, points_m: np.ndarray) -> np.ndarray:
        """Signed distance in world units, positive in free space; (n, 3) world points -> (n,) float64."""
        levels = float(self.field.spec.grid.num_levels)
        parameter = next(self.field.parameters())
        out = np.empty(len(points_m))
        with torch.no_grad():
            for i in range(0, len(points_m), CHUNK):
                x = torch.as_tensor(self.transform.to_unit(points_m[i : i + CHUNK]))
                u = self.field(x.to(parameter.device, parameter.dtype), levels)
                out[i : i + CHUNK] = u.double().cpu().numpy()
        return out * self.transform.half_extent_m

    def gradient(self, points_m: np.ndarray, step_m: float) -> np.ndarray:
        """Central differences of `sdf` with step ``step_m``; (n, 3) world points -> (n, 3) float64."""
        columns = []
        for axis in np.eye(3):
            ahead, behind = self.sdf(points_m + step_m * axis), self.sdf(points_m - step_m * axis)
            columns.append((ahead - behind) / (2 * step_m))
        return np.stack(columns, axis=1)

    def extract_mesh(self, config: MeshConfig) -> TriangleMesh:
        """The supported part of the zero set as a triangle mesh in world coordinates.

        Args:
            config: resolved mesh settings.

        Raises:
            MeshingError: if there is no zero crossing near the scan.
        """
        assert config.voxel_size_m is not None and config.min_component_area_m2 is not None
        voxel = config.voxel_size_m
        reach = self.support.reach(config)
        mesh = extract_surface(
            self.sdf,
            self.support.points_m,
            voxel_size=voxel,
            support_distance=reach,
            gradient=lambda x: self.gradient(x, voxel),
        )
        mesh = trim_unsupported(mesh, self.support.points_m, reach)
        return drop_small_components(mesh, min_area=config.min_component_area_m2)
