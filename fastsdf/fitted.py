# SPDX-License-Identifier: MIT
"""A fitted field seen from the world: signed distances in metres at world points, and the mesh of its zero set."""

from dataclasses import dataclass

import numpy as np
import torch

from fastsdf.config import MeshConfig
from fastsdf.errors import MeshingError
from fastsdf.field import HashGridSDF
from fastsdf.meshing import drop_small_components, extract_surface, keep_faces
from fastsdf.meshing.support import Support, bridges_gap, measured_support, relax_over_mesh
from fastsdf.normalize import SceneTransform
from fastsdf.scan import TriangleMesh

CHUNK = 1 << 18
KEPT_SHARE = 0.5


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
        mesh = extract_surface(
            self.sdf,
            self.support.points,
            voxel_size=voxel,
            support_distance=self._reach(config),
            gradient=lambda x: self.gradient(x, voxel),
        )
        return drop_small_components(self._supported(mesh, config), min_area=config.min_component_area_m2)

    def _reach(self, config: MeshConfig) -> np.ndarray:
        """(n,) distance from each point within which surface is looked for."""
        bridged = config.gap_spacings * self.support.median_spacing
        return np.maximum(self.support.radii(config.support_spacings), bridged)

    def _supported(self, mesh: TriangleMesh, config: MeshConfig) -> TriangleMesh:
        if config.support_points == 0:
            return mesh
        counts = measured_support(mesh, self.support, config.support_spacings, config.support_sigmas)
        share = np.minimum(counts / config.support_points, 1.0)
        weak = np.flatnonzero(share < 1.0)
        assert mesh.normals is not None
        doubtful = TriangleMesh(mesh.vertices[weak], mesh.faces[:0], mesh.normals[weak])
        share[weak[bridges_gap(doubtful, self.support, config.gap_spacings, config.support_sigmas)]] = 1.0
        share = relax_over_mesh(mesh, share)
        kept = keep_faces(mesh, np.all(share[mesh.faces] >= KEPT_SHARE, axis=1))
        if len(kept.faces) == 0:
            raise MeshingError(
                "no part of the surface is supported by the scan; train longer (--steps), or keep everything with "
                "--set mesh.support_points=0"
            )
        return kept
