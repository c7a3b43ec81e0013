# SPDX-License-Identifier: MIT
"""The settings of a fit as frozen pydantic models: each has a default, a range and a description.

``None`` means "chosen from the scan and the device": `fastsdf.config.resolve` chooses the value, and config.yaml in the
run folder holds it.
"""

from typing import Literal

from pydantic import Field

from fastsdf.config.training_models import LossConfig, SamplingConfig, Section, TrainingConfig, ViscosityConfig


class FieldConfig(Section):
    """The multiresolution hash grid and its small network (Mueller et al. 2022, instant-NGP)."""

    num_levels: int | None = Field(
        default=None, ge=1, le=24, description="number of grid levels; default: chosen from the range of cell sizes"
    )
    features_per_level: Literal[1, 2, 4, 8] = Field(default=2, description="number of features per table entry")
    log2_table_size: int | None = Field(
        default=None,
        ge=8,
        le=24,
        description="log2 of the table entries per level; default: chosen from the scanned area",
    )
    base_resolution: int = Field(
        default=16, ge=2, le=256, description="cells along one axis of the domain at the coarsest level"
    )
    voxel_size_m: float | None = Field(
        default=None,
        gt=0,
        description="cell edge of the finest level in metres; default: chosen from the point spacing",
    )
    voxel_spacings: float | None = Field(
        default=None,
        gt=0,
        le=4,
        description="cell edge of the finest level in median point spacings, used if voxel_size_m is not set; "
        "default: chosen for the device",
    )
    hidden_width: Literal[16, 32, 64, 128] = Field(default=64, description="number of neurons per hidden layer")
    hidden_layers: Literal[1, 2] = Field(default=1, description="number of hidden layers")
    activation: Literal["softplus", "relu"] = Field(
        default="softplus", description="activation function of the hidden layers"
    )
    softplus_beta: float = Field(default=100.0, gt=0, description="sharpness of the softplus activation")


class PrepareConfig(Section):
    """Preparation of the scan before the fit."""

    orientation: Literal["auto", "sensors", "normals", "paths", "viewpoints", "outside", "none"] = Field(
        default="auto",
        description="how to find the side of the points that is air: from sensor positions, the file's normals, mean "
        "free paths (paths), viewpoints in the air of a room, or the air outside an object; none: leave it open; "
        "auto: the most reliable method that the scan allows",
    )
    refine_poses: Literal["auto", "off"] = Field(
        default="auto",
        description="move the views of the scan (stations, sweeps, frames) rigidly so that they agree; auto: where "
        "held-out points show that it helps",
    )
    held_out_share: float = Field(
        default=0.02,
        ge=0,
        le=0.5,
        description="share of the points held out of training, for the accuracy estimate of the run",
    )
    plane_neighbours: int = Field(
        default=120,
        ge=0,
        le=512,
        description="number of nearest points searched for a plane; points that agree on one move onto it; 0: off",
    )
    plane_weight: float = Field(
        default=5.0,
        ge=1,
        le=100,
        description="weight of the normals of points that were moved onto a plane; other normals weigh 0 to 1",
    )
    smoothing_rounds: int | None = Field(
        default=None,
        ge=0,
        le=50,
        description="rounds of bilateral smoothing of the points; default: chosen from how much the noise varies",
    )


class OperatorsConfig(Section):
    """How gradients and Laplacians of the field are computed."""

    mode: Literal["central", "tetrahedral", "autograd"] = Field(
        default="central", description="central differences (6 points), tetrahedral differences (4 points), or autograd"
    )
    step_cells: float = Field(
        default=0.5, gt=0, le=8, description="step h of the differences, in cells of the finest active level"
    )


class MeshConfig(Section):
    """Extraction and cleaning of the mesh."""

    voxel_size_m: float | None = Field(
        default=None,
        gt=0,
        description="edge of the marching-cubes cells in metres; default: chosen from the finest level",
    )
    voxel_cells: float = Field(
        default=1.0,
        gt=0,
        le=8,
        description="edge of the marching-cubes cells in cells of the finest level, used if voxel_size_m is not set",
    )
    support_spacings: float = Field(
        default=1.5,
        gt=0,
        description="radius of the disc of a scan point, in local spacings: surface near discs counts as measured",
    )
    support_sigmas: float = Field(
        default=3.0, gt=0, description="half thickness of these discs, in standard deviations of the noise"
    )
    min_confidence: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="smallest confidence (probability of measured surface) of kept vertices; 0: keep all",
    )
    gap_spacings: float = Field(
        default=6.0,
        ge=0,
        description="largest width of gaps that are bridged, in median spacings; points on all sides must agree",
    )
    close_holes_m: float = Field(
        default=0.0,
        ge=0,
        description="largest diameter in metres of holes of the measured surface that are closed; 0: none",
    )
    watertight: bool = Field(
        default=False, description="whether to keep the whole zero set, closed at the faces of the scan's box"
    )
    min_component_area_m2: float | None = Field(
        default=None, ge=0, description="smallest area in m^2 of pieces that are kept; default: chosen from the spacing"
    )


class FitConfig(Section):
    """All settings of a fit.

    >>> import fastsdf
    >>> config = fastsdf.FitConfig(scene="object", training={"steps": 2000})
    >>> config.training.steps, config.mesh.min_confidence
    (2000, 0.25)
    """

    scene: Literal["room", "object"] = Field(
        default="room", description="room: the air is inside the scan; object: the air is around it"
    )
    backend: Literal["auto", "triton", "tcnn", "numba", "torch"] = Field(
        default="auto", description="compute backend; auto: the fastest one that works"
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="device of the fit: auto, cpu, cuda or cuda:N"
    )
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="floating-point precision of the field"
    )
    seed: int = Field(default=0, ge=0, description="seed of all random numbers")
    prepare: PrepareConfig = PrepareConfig()
    field: FieldConfig = FieldConfig()
    operators: OperatorsConfig = OperatorsConfig()
    viscosity: ViscosityConfig = ViscosityConfig()
    loss: LossConfig = LossConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()
    mesh: MeshConfig = MeshConfig()
