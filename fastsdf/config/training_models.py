# SPDX-License-Identifier: MIT
"""The settings of training: viscosity, loss weights, sampling, learning rates and the loop; see `models`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A group of settings: immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ViscosityConfig(Section):
    """The viscous eikonal residual |grad u| - 1 - eps * lap u (ViscoReg, arXiv 2507.00412) and its schedule."""

    form: Literal["uniform", "signed", "none"] = Field(
        default="uniform", description="viscous term: uniform eps*lap u, signed eps*sign(u)*lap u, or none"
    )
    residual: Literal["norm", "squared_norm"] = Field(
        default="norm",
        description="eikonal term: |grad u| - 1 (code of the paper) or |grad u|^2 - 1 (text of the paper)",
    )
    power: Literal[1, 2] = Field(default=1, description="loss of a residual r: 1 for mean |r|, 2 for mean r^2")
    on_surface: bool = Field(
        default=False, description="whether surface points have the viscous term too (the paper's code has not)"
    )
    schedule: Literal["tied", "piecewise", "exponential", "shapenet", "srb", "scut", "scene"] = Field(
        default="tied",
        description="eps over training: tied to the step h, piecewise, exponential, or one of the paper's code",
    )
    cells: float = Field(default=1.0, ge=0, description="schedule tied: eps is cells * h")
    fade: float = Field(
        default=0.3, gt=0, le=1, description="schedule tied: share of training before end over which eps fades to 0"
    )
    knots: tuple[tuple[float, float], ...] = Field(
        default=((0.0, 0.5), (0.5, 0.01), (0.6, 0.0)),
        description="schedule piecewise: (progress, eps) pairs, eps in unit-frame lengths",
    )
    start: float = Field(default=1.0, ge=0, description="schedule exponential: eps at the start, a unit-frame length")
    decades: float = Field(
        default=7.0, ge=0, description="schedule exponential: powers of ten by which eps falls over training"
    )
    floor_cells: float = Field(default=0.0, ge=0, description="lower bound on eps before end, in steps h")
    end: float = Field(default=0.8, gt=0, le=1.01, description="progress (0 to 1) at which eps becomes exactly 0")

    @model_validator(mode="after")
    def _knots_ascend(self) -> "ViscosityConfig":
        times = [k[0] for k in self.knots]
        if not times or times != sorted(set(times)):
            raise ValueError("knots need strictly ascending progress values, e.g. [[0, 0.5], [0.6, 0]]")
        return self


class LossConfig(Section):
    """Weights of the loss terms; a term of weight 0 is not computed. The weights do not change when eps reaches 0."""

    surface: float = Field(default=12000.0, ge=0, description="weight of the mean |u| on the scan points")
    inter: float = Field(
        default=100.0, ge=0, description="weight of the mean exp(-inter_sharpness*|u|) off the surface"
    )
    inter_sharpness: float = Field(
        default=100.0, gt=0, description="sharpness of the inter term, per unit-frame length"
    )
    eikonal_off_surface: float = Field(
        default=50.0, ge=0, description="weight of the viscous eikonal residual off the surface"
    )
    eikonal_surface: float = Field(default=50.0, ge=0, description="weight of the eikonal residual on the scan points")
    normal: float = Field(
        default=30.0, ge=0, description="weight of 1 - cosine between grad u and the normals of the points"
    )
    near: float = Field(
        default=6000.0, ge=0, description="weight of the distance of u from its allowed interval at near points"
    )


class SamplingConfig(Section):
    """The points of one training step."""

    surface_points: int | None = Field(
        default=None, ge=1, description="scan points per step; default: chosen for the device"
    )
    near_pool: int = Field(
        default=4_000_000, ge=1000, description="largest size of the pool of near points (at most 1.2 million on a CPU)"
    )
    stencil_share: float = Field(
        default=1.0, ge=0, le=1, description="share of the scan points at which derivatives are computed"
    )
    near_points: int | None = Field(
        default=None, ge=0, description="points near the scan per step; default: chosen for the device"
    )
    uniform_points: int | None = Field(
        default=None, ge=0, description="uniform points in the scene's box per step; default: chosen for the device"
    )
    ray_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the near points on rays to the sensors, if sensor positions are known",
    )
    near_spread: float = Field(
        default=0.75, gt=0, description="standard deviation of near points around the scan, in local point spacings"
    )
    density_exponent: float = Field(
        default=1.0,
        ge=0,
        le=2,
        description="scan points are drawn in proportion to their local spacing^density_exponent",
    )
    rough_weight: float = Field(
        default=1.5,
        ge=0,
        le=20,
        description="scan points are drawn up to 1 + rough_weight times as often where no plane fits",
    )


class LevelsConfig(Section):
    """Coarse-to-fine activation of the grid levels."""

    first: int = Field(default=4, ge=1, description="number of levels that are active from the start")
    unlock_end: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="progress (0 to 1) at which all levels are active, 0: from the start; default: chosen from the "
        "inside/outside evidence",
    )


class RateConfig(Section):
    """Adam's learning rates."""

    grid: float = Field(default=5e-3, gt=0, description="learning rate of the hash grid")
    network: float = Field(default=1e-3, gt=0, description="learning rate of the network")
    level_decay: float | None = Field(
        default=None,
        ge=0,
        description="weight decay of the finest level; default: chosen from scene and inside/outside evidence",
    )
    level_decay_power: float = Field(
        default=2.0, ge=0, le=8, description="weight decay of coarser levels falls with (cell size)^-level_decay_power"
    )
    decay_start: float = Field(
        default=0.5, ge=0, le=1, description="progress (0 to 1) at which the learning rates begin to fall"
    )
    final: float = Field(
        default=0.02, gt=0, le=1, description="factor of the learning rates at the end of training (half cosine)"
    )


class TrainingConfig(Section):
    """The training loop."""

    steps: int | None = Field(
        default=None, ge=1, description="number of training steps; default: chosen for the device and the scan"
    )
    steps_factor: float = Field(
        default=1.0, gt=0, le=20, description="factor on the chosen number of steps, used if steps is not set"
    )
    warm_start_steps: int = Field(
        default=150, ge=0, description="steps that first fit the start shape: an inverted box (room) or a ball (object)"
    )
    gradient_clip: float = Field(
        default=0.0, ge=0, description="largest gradient norm; larger ones are clipped; 0: no clipping"
    )
    log_every: int = Field(
        default=25, ge=1, description="steps between readings of the loss; each reading waits for the device"
    )
    checkpoint_every_s: float = Field(default=120.0, gt=0, description="time between checkpoints in seconds")
    levels: LevelsConfig = LevelsConfig()
    rate: RateConfig = RateConfig()
