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
from fastsdf.errors import InputError
from fastsdf.field.finite_differences import Stencil, differentiate
from fastsdf.field.network import HashGridSDF
from fastsdf.geometry import DistanceGrid, TriangleMesh
from fastsdf.io.run_folder import RunFolder
from fastsdf.meshing.distance_grid import sample_band, sample_box
from fastsdf.meshing.supported_mesh import supported_mesh
from fastsdf.meshing.watertight import BoxClip
from fastsdf.numerics.chunks import chunk_size
from fastsdf.numerics.map_points import Points, map_points
from fastsdf.prepare.normalize import BOX_PADDING, SceneTransform
from fastsdf.prepare.prepared_scan import PreparedScan, Support
from fastsdf.training.checkpoint import TrainedField, load_trained, save_trained, trained_by
from fastsdf.training.session import Session
from fastsdf.training.step import unlocked_levels

STEP_CELLS = 0.5  # cells of the finest level; the step of differences in training (operators.step_cells)
CHUNK = 1 << 18  # points evaluated at once; bounds the hidden layers to 64 MiB of float32
STENCIL_CHUNK = CHUNK // 8  # points with differences at once on a GPU: seven values each
STENCIL_CHUNK_CPU = 1 << 13  # ... on a CPU, where they count as memory of the process
MIN_SLOPE = 0.5  # of |grad u| in `FittedField.surface_distance`: bounds the error where the gradient vanishes


@dataclass(frozen=True)
class FittedField:
    """The result of a fit: a signed distance field over world coordinates, positive in free space.

    Points are (..., 3) world points: numpy arrays or sequences, for which values come as float64, or torch tensors, for
    which values come as tensors on their device and in their type, without gradients. Inside the box where the field
    was trained, values are the network's. Outside, the value is that at the box's nearest point, and the distance to
    that point is added to its magnitude.

    Attributes:
        field: the trained network (unit frame).
        scan: the prepared scan that it was fitted to.
        config: resolved settings.
        step, seconds, history: steps trained, the time they took, and the readings of the loss.
        levels: number of grid levels in use, the last one faded; None: all.

    >>> import fastsdf, numpy as np
    >>> directions = np.random.default_rng(0).standard_normal((5000, 3))
    >>> ball = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    >>> field = fastsdf.fit(ball, "smoke", normals=ball, scene="object", device="cpu")
    >>> field.gradient([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).shape
    (2, 3)
    >>> field.sample_grid(0.25).values.ndim
    3
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
        """The fitted field of a checkpoint's content; an unfinished fit leaves out levels that are still locked."""
        levels = unlocked_levels(trained.step, trained.field, trained.config)
        values = trained.field, trained.scan, trained.config, trained.step, trained.seconds, trained.history
        return FittedField(*values, levels=levels)

    @staticmethod
    def from_session(session: Session) -> "FittedField":
        """The field of a running fit, as it is now."""
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
        """The scan's points in the world frame, with their spacing and noise."""
        return self.scan.support

    @property
    def step_m(self) -> float:
        """Default step of finite differences: half a cell of the finest level, world units."""
        return self.field.step_size(self._levels, STEP_CELLS) * self.transform.half_extent_m

    def sdf(self, points_m: Points) -> Points:
        """Signed distance in world units, positive in free space; (..., 3) world points -> (...).

        Raises:
            InputError: if the points do not have shape (..., 3).
        """
        return map_points(points_m, self._sdf, CHUNK)

    def gradient(self, points_m: Points, step_m: float | None = None) -> Points:
        """Gradient of `sdf` by central differences; (..., 3) world points -> (..., 3), pointing into the air.

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

        More exact than `sdf` near the surface, where |grad u| is close to 1 but not 1; slopes below 1/2 count as 1/2.

        Raises:
            InputError: if the points do not have shape (..., 3).
        """
        half_extent_m = self.transform.half_extent_m
        distance = self._differences(
            None, lambda s: half_extent_m * s.sdf / s.gradient.norm(dim=1).clamp_min(MIN_SLOPE)
        )
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
        gradient = self._differences(config.voxel_size_m, lambda s: s.gradient)
        return supported_mesh(self._sdf, gradient, self.support, self._clip(), config).numpy()

    @torch.no_grad()
    def sample_grid(self, voxel_size_m: float | None = None, band_m: float | None = None) -> DistanceGrid:
        """Signed distances on a lattice over the box of the scan and a margin (8% of half its longest side).

        Args:
            voxel_size_m: distance between neighbouring nodes, which lie on multiples of it; None: that of the mesh.
            band_m: only nodes within this distance of the surface, in blocks of 8 x 8 x 8; None: all nodes.

        Raises:
            InputError: a length is out of range, or the grid would hold too many nodes.
            MeshingError: with a band, if there is no surface in the box.
        """
        voxel_size_m = self._mesh_config(voxel_size_m=voxel_size_m).voxel_size_m
        assert voxel_size_m is not None
        box = self._clip()
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
        content = TrainedField(self.field, self.scan, self.config, self.step, self.seconds, self.history)
        save_trained(content, run.checkpoint)

    @property
    def _levels(self) -> float:
        return float(self.field.spec.grid.num_levels) if self.levels is None else self.levels

    @property
    def _stencil_chunk(self) -> int:
        """Points per call of differences, which takes seven values of each."""
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
        chosen = {name: value for name, value in settings.items() if value is not None}
        return validate_config({"mesh": {**self.config.mesh.model_dump(), **chosen}}).mesh

    def _clip(self) -> BoxClip:
        """The box where the field was trained; outside it is solid for a room and air for an object."""
        low, high = np.subtract(self.transform.lower, BOX_PADDING), np.add(self.transform.upper, BOX_PADDING)
        device = next(self.field.parameters()).device
        corners = torch.as_tensor(self.transform.to_world(np.stack((low, high))), device=device)
        return BoxClip(corners[0], corners[1], self.config.scene == "room")
