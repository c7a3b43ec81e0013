# SPDX-License-Identifier: MIT
"""Builds a configuration from layers: defaults, presets, files, ``--set`` and options; later ones override."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from fastsdf.config.models import FitConfig
from fastsdf.config.presets import preset_path
from fastsdf.errors import ConfigError


def load_config(
    preset: str | Sequence[str] | None = None,
    files: Iterable[Path] = (),
    assignments: Iterable[str] = (),
    **options: Any,
) -> FitConfig:
    """Builds the configuration from all layers; later layers override earlier ones.

    Args:
        preset: name of a bundled preset (`fastsdf.config.presets`), or several names.
        files: YAML files with some of the settings.
        assignments: ``section.key=value`` with a YAML value.
        options: dotted keys with ``__`` for dots; None means not given.

    Raises:
        ConfigError: a key is unknown or a value is not allowed; the message names both.
    """
    presets = [preset] if isinstance(preset, str) else preset or ()
    layers = [_read_yaml(preset_path(name)) for name in presets]
    layers += [_read_yaml(path) for path in files]
    layers += [_assignment(text) for text in assignments]
    layers += [_nested(key.split("__"), value) for key, value in options.items() if value is not None]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    return validate_config(merged)


def override(config: FitConfig, **options: Any) -> FitConfig:
    """Returns a configuration with some values replaced; options as in `load_config`.

    Raises:
        ConfigError: a key is unknown or a value is not allowed; the message names both.
    """
    merged = config.model_dump()
    for key, value in options.items():
        merged = merged if value is None else _merge(merged, _nested(key.split("__"), value))
    return validate_config(merged)


def validate_config(values: dict[str, Any]) -> FitConfig:
    """Makes a FitConfig from plain values.

    Raises:
        ConfigError: a key is unknown or a value is not allowed; the message names the first.
    """
    _check_keys(values, FitConfig, "")
    try:
        return FitConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "configuration"
        raise ConfigError(f"{where} = {first['input']!r}: {_explain(first)}") from error


def _explain(error: Any) -> str:
    """What a value should be, from pydantic's error; the field's description explains a pattern better."""
    if error["type"] == "string_pattern_mismatch":
        return f"expected the {FitConfig.model_fields[error['loc'][0]].description}"
    return error["msg"]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {_one_line(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration {path} must contain 'key: value' lines, found a {type(content).__name__}")
    return content


def _assignment(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set is '{text}'; give section.key=value, e.g. --set training.steps=2000")
    try:
        return _nested(key.strip().split("."), yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ConfigError(f"--set is '{text}': the value is not valid YAML ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    """Joins the lines of a message; YAML errors quote the error location over several lines."""
    return " ".join(str(error).split())


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merge(base: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in delta.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _check_keys(values: dict[str, Any], model: type[BaseModel], prefix: str) -> None:
    """Raises ConfigError for the first key that the model lacks; the message names the most similar known key."""
    for key, value in values.items():
        field = model.model_fields.get(str(key))
        if field is None:
            near = difflib.get_close_matches(str(key), model.model_fields, n=1)
            hint = f"did you mean '{prefix}{near[0]}'?" if near else f"known: {', '.join(model.model_fields)}"
            raise ConfigError(f"unknown configuration key '{prefix}{key}'; {hint}")
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel) and isinstance(value, dict):
            _check_keys(value, section, f"{prefix}{key}.")
