# SPDX-License-Identifier: MIT
"""The bundled presets: small YAML files whose first comment line explains when to use them."""

import difflib
from pathlib import Path

from fastsdf.errors import ConfigError
from fastsdf.system.bundled import bundled_folder

GROUPS = ("Scanner", "Aim")  # first words of the comment lines, in the order in which presets are listed


def preset_names() -> list[str]:
    """Names of the bundled presets: first those for scanners, then those for aims, then the others."""
    return sorted((path.stem for path in preset_folder().glob("*.yaml")), key=lambda name: (_rank(name), name))


def preset_path(name: str) -> Path:
    """The file of a preset.

    Raises:
        ConfigError: no preset has this name.
    """
    names = preset_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ConfigError(f"no preset named '{name}'; {hint}give one of {', '.join(names)}")
    return preset_folder() / f"{name}.yaml"


def preset_summary(name: str) -> str:
    """When to use a preset: the first comment line of its file, or an empty string."""
    lines = preset_path(name).read_text(encoding="utf-8").splitlines()
    return lines[0].lstrip("# ").strip() if lines and lines[0].startswith("#") else ""


def preset_folder() -> Path:
    """The folder ``configs``: beside the package in a checkout, inside the package when installed."""
    return bundled_folder("configs")


def _rank(name: str) -> int:
    first = (preset_folder() / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return next((rank for rank, group in enumerate(GROUPS) if first.startswith(group)), len(GROUPS))
