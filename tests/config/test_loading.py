# SPDX-License-Identifier: MIT
"""Configuration layers, the messages of bad ones, and the choices that fill what was left open."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from fastsdf.config.loading import load_config, validate_config
from fastsdf.config.models import FitConfig, ViscosityConfig
from fastsdf.config.presets import preset_names, preset_summary
from fastsdf.config.resolve import resolve_settings
from fastsdf.errors import ConfigError
from fastsdf.prepare.local_geometry import smoothing_rounds

SCENE: dict[str, Any] = {"spacing_m": 0.01, "area_m2": 120.0, "half_extent_m": 3.0}


def _open_values(model: BaseModel, prefix: str = "") -> list[str]:
    """Dotted names of all values that are None."""
    found = []
    for name, value in model:
        if isinstance(value, BaseModel):
            found += _open_values(value, f"{prefix}{name}.")
        elif value is None:
            found.append(prefix + name)
    return found


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_no_layers_give_the_defaults() -> None:
    assert load_config() == FitConfig()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trainning": {"steps": 5}}, r"unknown configuration key 'trainning'; did you mean 'training'\?"),
        ({"training": {"step": 5}}, r"'training\.step'; did you mean 'training\.steps'\?"),
        ({"training": {"rate": {"grit": 1}}}, r"'training\.rate\.grit'; did you mean 'training\.rate\.grid'\?"),
        ({"zzz": 1}, r"unknown configuration key 'zzz'; known: scene, .*viscosity"),
        ({"operators": {"zzz": 1}}, r"'operators\.zzz'; known: mode, step_cells"),
        ({7: 1}, r"unknown configuration key '7'; known: "),
    ],
)
def test_unknown_keys_name_a_near_match(values: dict[Any, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_config(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"steps": 0}}, r"training\.steps = 0: .*greater than or equal to 1"),
        ({"training": {"steps": "many"}}, r"training\.steps = 'many': .*valid integer"),
        ({"field": {"hidden_width": 48}}, r"field\.hidden_width = 48: .*16, 32, 64 or 128"),
        ({"operators": {"mode": "centre"}}, r"operators\.mode = 'centre': .*'central', 'tetrahedral' or 'autograd'"),
        ({"device": "gpu"}, "device = 'gpu': expected the device of the fit: auto, cpu, cuda or cuda:N"),
        ({"seed": -1}, r"seed = -1: .*greater than or equal to 0"),
        ({"loss": 5}, r"loss = 5: "),
        ({"viscosity": {"knots": [[0.5, 1.0], [0.2, 0.0]]}}, r"viscosity = .*strictly ascending progress values"),
        ({"viscosity": {"knots": []}}, r"viscosity = .*strictly ascending progress values"),
        ({"viscosity": {"knots": [[0.5, 1.0], [0.5, 0.0]]}}, r"viscosity = .*strictly ascending progress values"),
    ],
)
def test_bad_values_name_the_key_the_value_and_what_is_allowed(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_config(values)


def test_later_layers_win_and_leave_the_rest(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.yaml", "training: {steps: 10, log_every: 3}\nseed: 1\n")
    second = _write(tmp_path / "b.yaml", "training: {steps: 20}\nseed: 2\n")
    smoke = load_config("smoke")
    assert smoke.training.steps != 10
    assert load_config("smoke", [first]).training.steps == 10
    assert load_config("smoke", [first]).training.warm_start_steps == smoke.training.warm_start_steps
    files = load_config("smoke", [first, second])
    assert (files.training.steps, files.training.log_every, files.seed) == (20, 3, 2)
    assigned = load_config("smoke", [first, second], ["training.steps=30", "seed=3", "seed=4"])
    assert (assigned.training.steps, assigned.seed) == (30, 4)
    options = load_config("smoke", [second], ["training.steps=30", "seed=3"], training__steps=40, seed=None)
    assert (options.training.steps, options.seed) == (40, 3)
    assert options.field == smoke.field


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("training.steps=7", "training.steps", 7),
        (" training.rate.grid = 1e-3 ", "training.rate.grid", 1e-3),
        ("viscosity.on_surface=true", "viscosity.on_surface", True),
        ("operators.mode=tetrahedral", "operators.mode", "tetrahedral"),
        ("viscosity.knots=[[0, 0.5], [0.6, 0]]", "viscosity.knots", ((0.0, 0.5), (0.6, 0.0))),
        ("mesh.voxel_size_m=null", "mesh.voxel_size_m", None),
        ("training.steps=", "training.steps", None),
        ("mesh={voxel_size_m: 0.02}", "mesh.voxel_size_m", 0.02),
    ],
)
def test_assignments_take_yaml_values(text: str, path: str, value: Any) -> None:
    found: Any = load_config(assignments=[text])
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.steps", r"--set is 'training\.steps'; give section\.key=value"),
        ("=5", r"--set is '=5'; give section\.key=value"),
        ("", r"--set is ''; give section\.key=value"),
        ("viscosity.knots=[1, 2", r"the value is not valid YAML"),
        ("training.stepz=5", r"did you mean 'training\.steps'"),
        ("training..steps=5", r"unknown configuration key 'training\.'"),
    ],
)
def test_bad_assignments_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(assignments=[text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n- 2\n", r"must contain 'key: value' lines, found a list"),
        ("training", r"must contain 'key: value' lines, found a str"),
        ("training: {steps: 5", r"cannot read the configuration .*a\.yaml"),
        ("\x00", r"cannot read the configuration .*a\.yaml"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(files=[_write(tmp_path / "a.yaml", text)])


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*none\.yaml"):
        load_config(files=[tmp_path / "none.yaml"])
    assert load_config(files=[_write(tmp_path / "empty.yaml", "# nothing\n")]) == FitConfig()


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_change_something(name: str) -> None:
    assert (load_config(name) != FitConfig()) == (name != "default")


def test_presets_are_listed_with_when_to_take_them() -> None:
    assert all(20 < len(preset_summary(name)) <= 110 for name in preset_names())
    groups = [preset_summary(name).split(":")[0] for name in preset_names()]
    assert groups[:8] == ["Scanner"] * 5 + ["Aim"] * 3


def test_presets_combine_and_later_ones_win() -> None:
    both = load_config(["phone-lidar", "fast"])
    assert both == load_config(["fast", "phone-lidar"])  # scanners and aims set different keys
    assert both.prepare == load_config("phone-lidar").prepare and both.training == load_config("fast").training
    assert load_config(["fast", "fine"]).training == load_config("fine").training
    assert load_config(["fast", "default"]) == load_config("fast")
    with pytest.raises(ConfigError, match=r"no preset named 'phone'; did you mean 'phone-lidar'\?"):
        load_config(["fast", "phone"])


def test_factors_apply_to_what_is_chosen() -> None:
    usual = resolve_settings(FitConfig(), **SCENE, device="cpu")
    assignments = ["training.steps_factor=0.5", "field.voxel_spacings=1.5", "mesh.voxel_cells=2"]
    halved = resolve_settings(load_config(assignments=assignments), **SCENE, device="cpu")
    assert halved.training.steps == 750 and usual.training.steps == 1500
    assert halved.field.voxel_size_m == pytest.approx(0.015) and halved.mesh.voxel_size_m == pytest.approx(0.03)


def test_unknown_presets_list_the_known() -> None:
    assert {"smoke", "viscoreg_paper"} <= set(preset_names())
    with pytest.raises(ConfigError, match=r"no preset named '\.\./smoke'; .*give one of .*smoke"):
        load_config("../smoke")


def test_configurations_are_frozen_and_closed() -> None:
    config = FitConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3
    with pytest.raises(ValidationError, match="frozen"):
        config.training.steps = 3
    with pytest.raises(ValidationError, match="Extra inputs"):
        ViscosityConfig.model_validate({"epsilon": 1})


@pytest.mark.parametrize("config", [FitConfig(), load_config("smoke"), load_config("viscoreg_paper")])
def test_a_configuration_survives_its_own_dump(config: FitConfig) -> None:
    assert validate_config(config.model_dump()) == config
    assert validate_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
def test_nothing_stays_open_after_resolving(device: str) -> None:
    resolved = resolve_settings(FitConfig(), **SCENE, device=device)
    assert _open_values(FitConfig())
    assert _open_values(resolved) == []
    assert validate_config(resolved.model_dump()) == resolved  # choices are within their ranges


def test_resolving_keeps_what_was_given() -> None:
    assignments = ["field.voxel_size_m=0.05", "training.steps=7", "sampling.near_points=0", "mesh.support_spacings=3.5"]
    resolved = resolve_settings(load_config(assignments=assignments), **SCENE, device="cpu")
    assert (resolved.field.voxel_size_m, resolved.mesh.voxel_size_m) == (0.05, 0.05)
    assert (resolved.training.steps, resolved.sampling.near_points) == (7, 0)
    assert resolved.mesh.support_spacings == 3.5
    assert resolve_settings(resolved, spacing_m=1.0, area_m2=1.0, half_extent_m=1.0, device="cuda") == resolved


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param({"spacing_m": 0.001, "area_m2": 1e5, "half_extent_m": 500.0}, id="huge"),
        pytest.param({"spacing_m": 5.0, "area_m2": 1e-3, "half_extent_m": 0.01}, id="tiny"),
        pytest.param({"spacing_m": 0.2, "area_m2": 40.0, "half_extent_m": 1.0}, id="coarse"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_choices_stay_within_their_ranges(scene: dict[str, float], device: str) -> None:
    resolved = resolve_settings(FitConfig(), **scene, device=device)
    assert validate_config(resolved.model_dump()) == resolved


def test_finer_scans_get_finer_cells_more_levels_and_larger_tables() -> None:
    coarse, fine = (resolve_settings(FitConfig(), **{**SCENE, "spacing_m": s}, device="cpu") for s in (0.05, 0.005))
    assert coarse.field.voxel_size_m == pytest.approx(10 * (fine.field.voxel_size_m or 0))
    assert (coarse.field.num_levels or 0) < (fine.field.num_levels or 0)
    assert (coarse.field.log2_table_size or 0) < (fine.field.log2_table_size or 0)


@pytest.mark.parametrize(("area_m2", "cuda"), [(50.0, 3000), (216.0, 3000), (432.0, 3959), (5000.0, 6000)])
def test_large_scans_take_more_steps_on_a_gpu(area_m2: float, cuda: int) -> None:
    scene = {**SCENE, "spacing_m": 0.02, "area_m2": area_m2}
    assert resolve_settings(FitConfig(), **scene, device="cuda").training.steps == cuda
    assert resolve_settings(FitConfig(), **scene, device="cpu").training.steps == 1500
    half = load_config(assignments=["training.steps_factor=0.5"])
    assert resolve_settings(half, **scene, device="cuda").training.steps == pytest.approx(cuda / 2, abs=1)


def test_uneven_or_coarse_noise_takes_a_second_round_of_smoothing() -> None:
    def rounds(spread: float, noise: float, *assignments: str) -> int:
        geometry = SimpleNamespace(noise_spread=spread, noise=noise, median_spacing=0.01)
        return smoothing_rounds(load_config(assignments=assignments), geometry)  # type: ignore[arg-type]

    assert rounds(1.2, 0.003) == 1
    assert rounds(1.5, 0.003) == rounds(1.2, 0.006) == 2
    assert rounds(1.5, 0.006, "prepare.smoothing_rounds=0") == 0
