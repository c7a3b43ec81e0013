# SPDX-License-Identifier: MIT
"""The options that choose a configuration, and the commands ``fastsdf config show`` and ``presets``."""

from pathlib import Path
from typing import Annotated

import typer

Preset = Annotated[
    list[str] | None,
    typer.Option(
        "--preset", help="Named settings; see 'fastsdf config presets' (repeatable; later ones override earlier ones)."
    ),
]
ConfigFiles = Annotated[list[Path] | None, typer.Option("--config", help="YAML file of settings (repeatable).")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting section.key=value, e.g. training.steps=2000 (repeatable)."),
]

config_app = typer.Typer(help="Show the settings and presets of a fit.", no_args_is_help=True)


@config_app.command("show")
def config_show(preset: Preset = None, config: ConfigFiles = None, assign: Assignments = None) -> None:
    """Print the settings that a fit would use (null: chosen from the scan and the device)."""
    import yaml

    from fastsdf.config.loading import load_config

    settings = load_config(preset, config or (), assign or ())
    typer.echo(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False), nl=False)


@config_app.command("presets")
def config_presets() -> None:
    """List the presets and when to use each."""
    from fastsdf.config.presets import preset_names, preset_summary

    names = preset_names()
    width = max(map(len, names))
    typer.echo("\n".join(f"{name:<{width}}  {preset_summary(name)}" for name in names))
