# SPDX-License-Identifier: MIT
"""A fitted field seen from the world: signed distances in metres at world points, and the mesh of its zero set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastsdf.config.loading import validate_config
from fastsdf.config.models import FitConfig, MeshConfig
from fastsdf.errors import InputError, MeshingError
from fastsdf.field.finite_differences import Stencil, differentiate
from fastsdf.field.network import HashGridSDF
from fastsdf.geometry import DistanceGrid, TriangleMesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.meshing import (
    BoxClip,
    drop_doubtful_pieces,
    drop_small_components,
    extract_surface,
    extract_watertight,
    in_small_holes,
    keep_faces,
    rate_vertices,
    scanned_pieces,
)
from fastsdf.meshing.discs import Discs, make_discs
from fastsdf.meshing.distance_grid import sample_band, sample_box
from fastsdf.meshing.surface import Surface
from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.map_points import Points, map_points
from fastsdf.prepare.normalize import BOX_PADDING, SceneTransform
from fastsdf.prepare.prepared_scan import PreparedScan, Support
from fastsdf.training.checkpoint import TrainedField, load_trained, save_trained, trained_by
from fastsdf.training.session import Session
from fastsdf.training.step import unlocked_levels

STEP_CELLS = 0.5
CHUNK = 1 << 18
STENCIL_CHUNK, STENCIL_CHUNK_CPU = CHUNK // 8, 1 << 13  # whose memory is that of the process


@dataclass(frozen=True)
class FittedField:
    """The result of a fit.

    Points are world points: (..., 3) numpy arrays or sequences (values come as float64), or torch tensors (values come
    as tensors on their device, in their type, outside of autograd). Within the box where the field was trained, values
    are the network's; outside, the value at the box's nearest point with the way there added to its magnitude.

    Attributes:
        field: the trained network (unit frame).
        scan: what it was fitted to.
        config: resolved settings.
        step, seconds, history: steps trained, the time they took, and the readings of the loss.
        levels: how many levels of the grid count, the last one faded; None: all.
    """

    field: HashGridSDF
    scan: PreparedScan
    config: FitConfig
    step: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()
    levels: float | None = None

    @staticmethod
    def from_trained(trained: TrainedField) -> "FittedField":
        """The fitted field of a checkpoint's content; that of an unfinished fit leaves out levels still locked."""
        levels = unlocked_levels(trained.step, trained.field, trained.config)
        values = trained.field, trained.scan, trained.config, trained.step, trained.seconds, trained.history
        return FittedField(*values, levels=levels)

    @staticmethod
    def from_session(session: Session) -> "FittedField":
        """The field of a fit under way, as it is now."""
        return FittedField.from_trained(trained_by(session))

    @staticmethod
    def load(folder: str | Path, device: str = "auto") -> "FittedField":
        """The field of a run folder on a device, with the fastest backend there.

        Raises:
            CheckpointError: there is no checkpoint, or it is damaged, from another format or from another version.
            ConfigError: if the device is not there.
        """
        return FittedField.from_trained(load_trained(RunFolder(Path(folder)).checkpoint, device))

    @property
    def transform(self) -> SceneTransform:
        """World <-> unit frame."""
        return self.scan.transform

    @property
    def support(self) -> Support:
        """Where the scan supports a surface."""
        return self.scan.support

    @property
    def step_m(self) -> float:
        """Default step of the differences: half a cell of the finest level, world units."""
        return self.field.step_size(self._levels, STEP_CELLS) * self.transform.half_extent_m

    def sdf(self, points_m: Points) -> Points:
        """Signed distance in world units, positive in free space; (..., 3) world points -> (...).

        Raises:
            InputError: if the points do not have shape (..., 3).
        """
        return map_points(points_m, self._sdf, CHUNK)

    def gradient(self, points_m: Points, step_m: float | None = None) -> Points:
        """Central differences of `sdf`; (..., 3) world points -> (..., 3), pointing into the air.

        Raises:
            InputError: if the points do not have shape (..., 3), or the step is not above 0.
        """
        return map_points(points_m, self._differences(step_m, lambda s: s.gradient), self._stencil_chunk, (3,))

    def laplacian(self, points_m: Points, step_m: float | None = None) -> Points:
        """Laplacian of `sdf` by central differences (the sum of the curvatures on the surface); (..., 3) -> (...).

        Raises:
            InputError: if the points do not have shape (..., 3), or the step is not above 0.
        """
        laplacian = self._differences(step_m, lambda s: s.laplacian / self.transform.half_extent_m)
        return map_points(points_m, laplacian, self._stencil_chunk)

    def surface_distance(self, points_m: Points) -> Points:
        """Signed distance to the zero set to first order, u / |grad u| (Taubin 1991); (..., 3) -> (...).

        Exacter than `sdf` near the surface, where |grad u| is near 1 but not 1; slopes below 1/2 count as 1/2.

        Raises:
            InputError: if the points do not have shape (..., 3).
        """
        half_extent_m = self.transform.half_extent_m
        distance = self._differences(None, lambda s: half_extent_m * s.sdf / s.gradient.norm(dim=1).clamp_min(0.5))
        return map_points(points_m, distance, self._stencil_chunk)

    @torch.no_grad()
    def extract_mesh(self, voxel_size_m: float | None = None, **settings: Any) -> TriangleMesh:
        """The supported part of the zero set as a triangle mesh in world coordinates.

        Vertices carry normals, the scan's colours if it has any, and the attributes ``confidence`` and ``measured``
        (`fastsdf.meshing.attributes.with_support`).

        Args:
            voxel_size_m: edge of the cells; None: what the fit chose.
            settings: others of `MeshConfig`: ``gap_spacings=0`` keeps only what is measured, ``close_holes_m=0.3`` also
                closes holes up to that diameter, ``min_confidence=0`` keeps all surface near the scan, and
                ``watertight=True`` gives a closed mesh of the whole scene. None keeps what the fit chose.

        Raises:
            ConfigError: if a setting is unknown or out of range.
            MeshingError: if there is no zero crossing near the scan, or none of it is supported; or the field is too
                steep for a watertight mesh.
        """
        config = self._mesh_config(voxel_size_m=voxel_size_m, **settings)
        assert config.voxel_size_m is not None and config.min_component_area_m2 is not None
        device = next(self.field.parameters()).device
        discs = make_discs(self.support, config.support_spacings, config.support_sigmas, device)
        gradient = self._differences(config.voxel_size_m, lambda s: s.gradient)
        if config.watertight:
            surface = extract_watertight(self._sdf, gradient, self._clip(device), config.voxel_size_m)
        else:
            surface = extract_surface(
                self._sdf,
                discs.index.points,
                voxel_size=config.voxel_size_m,
                support_distance=torch.as_tensor(self._reach(config), device=device),
                gradient=gradient,
            )
        supported = self._supported(surface, discs, config)
        return drop_small_components(supported, min_area=config.min_component_area_m2).numpy()

    @torch.no_grad()
    def sample_grid(self, voxel_size_m: float | None = None, band_m: float | None = None) -> DistanceGrid:
        """Signed distances on a lattice over the box of the scan and a margin (8% of half its longest side).

        Args:
            voxel_size_m: distance of neighbouring nodes, which lie on multiples of it; None: that of the fit's mesh.
            band_m: only nodes within this distance of the surface, in blocks of 8 x 8 x 8; None: all nodes.

        Raises:
            InputError: a length is out of range, or the grid would hold too many nodes.
            MeshingError: with a band, if there is no surface in the box.
        """
        voxel_size_m = self._mesh_config(voxel_size_m=voxel_size_m).voxel_size_m
        assert voxel_size_m is not None
        box = self._clip(next(self.field.parameters()).device)
        if band_m is None:
            return sample_box(self._sdf, box.lower, box.upper, voxel_size_m)
        return sample_band(self._sdf, box.lower, box.upper, voxel_size_m, band_m)

    def save(self, folder: str | Path) -> None:
        """Writes config.yaml and checkpoint.pt into a run folder; `fastsdf.load` and ``fastsdf mesh`` read it.

        Raises:
            InputError: if the files cannot be written.
        """
        run = RunFolder(Path(folder))
        run.write_config(self.config)
        save_trained(self._trained, run.checkpoint)

    @property
    def _trained(self) -> TrainedField:
        return TrainedField(self.field, self.scan, self.config, self.step, self.seconds, self.history)

    @property
    def _levels(self) -> float:
        return float(self.field.spec.grid.num_levels) if self.levels is None else self.levels

    @property
    def _stencil_chunk(self) -> int:
        """Points of one call of differences, which takes seven values of each."""
        return chunk_size(next(self.field.parameters()).device, STENCIL_CHUNK_CPU, STENCIL_CHUNK)

    def _sdf(self, points_m: Tensor) -> Tensor:
        """`sdf` of (n, 3) world points on any device, as (n,) float64 on the field's."""
        return self._unit_sdf(self._to_unit(points_m)).double() * self.transform.half_extent_m

    def _to_unit(self, points_m: Tensor) -> Tensor:
        """(n, 3) world points -> (n, 3) unit-frame points on the field's device in its type."""
        parameter = next(self.field.parameters())
        x = points_m.to(parameter.device, torch.float64)
        center = torch.tensor(self.transform.center_m, dtype=x.dtype, device=x.device)
        return ((x - center) / self.transform.half_extent_m).to(parameter.dtype)

    def _unit_sdf(self, x: Tensor) -> Tensor:
        """u (n,) at unit-frame points (n, 3), extended past the trained box."""
        lower, upper = (x.new_tensor(corner) for corner in (self.transform.lower, self.transform.upper))
        inside = x.clamp(lower - BOX_PADDING, upper + BOX_PADDING)
        u = self.field(inside, self._levels)
        return u + torch.copysign((x - inside).norm(dim=1), u)

    def _differences(self, step_m: float | None, pick: Callable[[Stencil], Tensor]) -> Callable[[Tensor], Tensor]:
        step_m = self.step_m if step_m is None else step_m
        if not step_m > 0:
            raise InputError(f"the step is {step_m}; give a length above 0")
        step = step_m / self.transform.half_extent_m
        return lambda x: pick(differentiate(self._unit_sdf, self._to_unit(x), step))

    def _mesh_config(self, **settings: Any) -> MeshConfig:
        asked = {name: value for name, value in settings.items() if value is not None}
        return validate_config({"mesh": {**self.config.mesh.model_dump(), **asked}}).mesh

    def _reach(self, config: MeshConfig) -> np.ndarray:
        """(n,) distance from each point within which surface is looked for."""
        bridged = config.gap_spacings * self.support.median_spacing
        return np.maximum(self.support.radii(config.support_spacings), max(bridged, config.close_holes_m))

    def _clip(self, device: torch.device) -> BoxClip:
        """The box where the field was trained; what lies outside is as the scene's kind has it."""
        low, high = np.subtract(self.transform.lower, BOX_PADDING), np.add(self.transform.upper, BOX_PADDING)
        corners = torch.as_tensor(self.transform.to_world(np.stack((low, high))), device=device)
        return BoxClip(corners[0], corners[1], self.config.scene == "room")

    def _supported(self, surface: Surface, discs: Discs, config: MeshConfig) -> Surface:
        """The mesh with what the scan says about its vertices, cut to what it supports."""
        least = config.min_confidence or MeshConfig().min_confidence
        surface, supported = rate_vertices(surface, discs, self._sdf, least, config.gap_spacings)
        if config.watertight:
            return scanned_pieces(surface, supported)
        if config.min_confidence == 0:
            return surface
        keep = supported[surface.faces].all(dim=1)
        if config.close_holes_m > 0:
            keep |= in_small_holes(surface, keep, config.close_holes_m)
        kept = keep_faces(surface, keep)
        if len(kept.faces) == 0:
            advice = "train longer (--steps), or keep everything with --set mesh.min_confidence=0"
            raise MeshingError(f"no part of the surface is supported by the scan; {advice}")
        return drop_doubtful_pieces(kept)
