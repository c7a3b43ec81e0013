# SPDX-License-Identifier: MIT
"""Everything a fit can be told, as frozen models: a default, a range and a sentence for each value.

``None`` means "chosen from the scan and the device": `fastsdf.config.resolve` chooses, and the run folder keeps the
result.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FieldConfig(_Section):
    """The multiresolution hash grid and its small network (Mueller et al. 2022, instant-NGP)."""

    num_levels: int | None = Field(
        default=None, ge=1, le=24, description="levels of the grid; chosen from the resolution range"
    )
    features_per_level: Literal[1, 2, 4, 8] = Field(default=2, description="features per level and entry")
    log2_table_size: int | None = Field(
        default=None, ge=8, le=24, description="log2 of entries per level; from the scan's area"
    )
    base_resolution: int = Field(default=16, ge=2, le=256, description="cells across the domain at the coarsest level")
    voxel_size_m: float | None = Field(
        default=None, gt=0, description="cell edge of the finest level; from the point spacing"
    )
    voxel_spacings: float | None = Field(
        default=None, gt=0, le=4, description="... in median point spacings, where it is open; by device"
    )
    hidden_width: Literal[16, 32, 64, 128] = Field(default=64, description="neurons per hidden layer")
    hidden_layers: Literal[1, 2] = Field(default=1, description="hidden layers")
    activation: Literal["softplus", "relu"] = Field(default="softplus", description="of the hidden layers")
    softplus_beta: float = Field(default=100.0, gt=0, description="sharpness of the softplus activation")


class PrepareConfig(_Section):
    """What is done to the scan before the fit."""

    orientation: Literal["auto", "sensors", "normals", "paths", "viewpoints", "outside", "none"] = Field(
        default="auto",
        description="which side of the points is air: from sensor positions, the file's normals, free paths, viewpoints "
        "in the air of a room, or the air around an object; auto: the best that the scan has",
    )
    held_out_share: float = Field(
        default=0.02, ge=0, le=0.5, description="share of the points kept out of training, for the run's own accuracy"
    )
    plane_neighbours: int = Field(
        default=120,
        ge=0,
        le=512,
        description="points that agree on a plane move onto it, out of this many; 0: none",
    )
    plane_weight: float = Field(
        default=5.0,
        ge=1,
        le=100,
        description="weight of the normals of points on such planes; that of others is 0 to 1",
    )
    smoothing_rounds: int | None = Field(
        default=None, ge=0, le=50, description="rounds of bilateral noise removal on the points; by how even noise is"
    )


class OperatorsConfig(_Section):
    """How gradients and Laplacians are formed."""

    mode: Literal["central", "tetrahedral", "autograd"] = Field(
        default="central", description="6 taps, 4 taps, or autograd"
    )
    step_cells: float = Field(default=0.5, gt=0, le=8, description="tap distance h in cells of the finest active level")


class ViscosityConfig(_Section):
    """The viscous eikonal residual |grad u| - 1 - eps * lap u (ViscoReg, arXiv 2507.00412) and its schedule."""

    form: Literal["uniform", "signed", "none"] = Field(
        default="uniform", description="eps*lap u, eps*sign(u)*lap u, or eikonal"
    )
    residual: Literal["norm", "squared_norm"] = Field(
        default="norm", description="|grad u| - 1 (code) or |grad u|^2 - 1 (text)"
    )
    power: Literal[1, 2] = Field(default=1, description="mean of |r| or of r^2")
    on_surface: bool = Field(
        default=False, description="apply the viscous term on surface points too (the paper's code: no)"
    )
    schedule: Literal["tied", "piecewise", "exponential", "shapenet", "srb", "scut", "scene"] = Field(
        default="tied", description="eps over training: tied to h, data below, or a schedule of the paper's code"
    )
    cells: float = Field(default=1.0, ge=0, description="tied: eps = cells * h")
    fade: float = Field(
        default=0.3, gt=0, le=1, description="tied: share of training over which eps fades to 0 before end"
    )
    knots: tuple[tuple[float, float], ...] = Field(
        default=((0.0, 0.5), (0.5, 0.01), (0.6, 0.0)), description="piecewise: (progress, eps) in unit-frame lengths"
    )
    start: float = Field(default=1.0, ge=0, description="exponential: eps at the start, unit-frame length")
    decades: float = Field(default=7.0, ge=0, description="exponential: powers of ten lost over the training")
    floor_cells: float = Field(default=0.0, ge=0, description="lower bound on eps, in steps h, until end")
    end: float = Field(default=0.8, gt=0, le=1.01, description="progress at which eps becomes exactly 0")

    @model_validator(mode="after")
    def _knots_ascend(self) -> "ViscosityConfig":
        times = [k[0] for k in self.knots]
        if not times or times != sorted(set(times)):
            raise ValueError("knots need strictly ascending progress values, e.g. [[0, 0.5], [0.6, 0]]")
        return self


class LossConfig(_Section):
    """Weights of the loss terms; a term of weight 0 is not computed. Weights stay as given when eps reaches 0."""

    surface: float = Field(default=12000.0, ge=0, description="mean |u| on the points")
    inter: float = Field(default=100.0, ge=0, description="mean exp(-sharpness*|u|) off the surface")
    inter_sharpness: float = Field(default=100.0, gt=0, description="of the inter term, per unit-frame length")
    eikonal_off_surface: float = Field(default=50.0, ge=0, description="(viscous) eikonal residual off the surface")
    eikonal_surface: float = Field(default=50.0, ge=0, description="eikonal residual on the points")
    normal: float = Field(default=30.0, ge=0, description="1 - cos between grad u and the points' normals")
    near: float = Field(default=6000.0, ge=0, description="how far u is from the interval of distances at near points")


class SamplingConfig(_Section):
    """Points of one training step."""

    surface_points: int | None = Field(default=None, ge=1, description="scan points per step")
    near_pool: int = Field(
        default=4_000_000, ge=1000, description="most points of the pool of near points (1.2 million on a CPU)"
    )
    stencil_share: float = Field(default=1.0, ge=0, le=1, description="share of the scan points that carry a stencil")
    near_points: int | None = Field(default=None, ge=0, description="points scattered around the scan per step")
    uniform_points: int | None = Field(default=None, ge=0, description="points uniform in the scene's box per step")
    ray_share: float = Field(
        default=0.5, ge=0, le=1, description="share of the near points on rays to the sensors, where these are known"
    )
    near_spread: float = Field(
        default=0.75, gt=0, description="standard deviation of near points, in local point spacings"
    )
    density_exponent: float = Field(
        default=1.0, ge=0, le=2, description="points drawn in proportion to spacing^exponent"
    )
    rough_weight: float = Field(
        default=1.5, ge=0, le=20, description="... and up to 1 + this times as often where no plane fits around them"
    )


class LevelsConfig(_Section):
    """Coarse to fine."""

    first: int = Field(default=4, ge=1, description="levels active from the start")
    unlock_end: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="progress at which all levels are active, 0: from the start; by device and inside/outside evidence",
    )


class RateConfig(_Section):
    """Adam's learning rates."""

    grid: float = Field(default=5e-3, gt=0, description="rate of the hash grid")
    network: float = Field(default=1e-3, gt=0, description="rate of the network")
    level_decay: float | None = Field(
        default=None, ge=0, description="weight decay of the finest level's entries; by inside/outside evidence"
    )
    level_decay_power: float = Field(default=2.0, ge=0, le=8, description="... which falls with cell size^-power")
    decay_start: float = Field(default=0.5, ge=0, le=1, description="progress at which the rates begin to fall")
    final: float = Field(default=0.02, gt=0, le=1, description="factor reached at the end (half cosine)")


class TrainingConfig(_Section):
    """The loop."""

    steps: int | None = Field(default=None, ge=1, description="training steps; chosen for the device")
    steps_factor: float = Field(default=1.0, gt=0, le=20, description="times the device's steps, where these are open")
    warm_start_steps: int = Field(
        default=150, ge=0, description="steps that fit the start shape (inverted box, or a ball)"
    )
    gradient_clip: float = Field(default=0.0, ge=0, description="largest gradient norm, 0: none")
    log_every: int = Field(
        default=25, ge=1, description="steps between readings of the loss (each waits for the device)"
    )
    checkpoint_every_s: float = Field(default=120.0, gt=0, description="seconds between checkpoints")
    levels: LevelsConfig = LevelsConfig()
    rate: RateConfig = RateConfig()


class MeshConfig(_Section):
    """Extraction and cleaning."""

    voxel_size_m: float | None = Field(
        default=None, gt=0, description="edge of the marching-cubes cells; from the finest level"
    )
    voxel_cells: float = Field(
        default=1.0, gt=0, le=8, description="... in cells of the finest level, where it is open"
    )
    support_spacings: float = Field(
        default=1.5, gt=0, description="surface is kept within this many local spacings of a point, along its plane"
    )
    support_sigmas: float = Field(default=3.0, gt=0, description="... and this many deviations of the noise across it")
    min_confidence: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="... and is this likely to be real (fastsdf.meshing.confidence); 0: keep all",
    )
    gap_spacings: float = Field(
        default=6.0, ge=0, description="gaps are bridged where points on all sides within this many spacings agree"
    )
    close_holes_m: float = Field(
        default=0.0, ge=0, description="holes of the measured surface up to this diameter are closed by the field's own"
    )
    watertight: bool = Field(default=False, description="the whole zero set, closed by the box of the scan")
    min_component_area_m2: float | None = Field(
        default=None, ge=0, description="smaller pieces are dropped; from the spacing"
    )


class FitConfig(_Section):
    """A whole fit: scan in, run folder out."""

    scene: Literal["room", "object"] = Field(
        default="room", description="room: air inside the scan; object: air around it"
    )
    backend: Literal["auto", "triton", "tcnn", "numba", "torch"] = Field(default="auto", description="compute backend")
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    precision: Literal["float32", "float64"] = Field(default="float32", description="of the field")
    seed: int = Field(default=0, ge=0, description="seed of every random draw")
    prepare: PrepareConfig = PrepareConfig()
    field: FieldConfig = FieldConfig()
    operators: OperatorsConfig = OperatorsConfig()
    viscosity: ViscosityConfig = ViscosityConfig()
    loss: LossConfig = LossConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()
    mesh: MeshConfig = MeshConfig()
