# SPDX-License-Identifier: MIT
"""A run folder on disk: where config.yaml, run.json, checkpoint.pt and mesh.ply lie, and its text files.

Every file is written whole or not at all. `fastsdf.training.checkpoint` reads and writes the checkpoint.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fastsdf.config.models import FitConfig
from fastsdf.errors import CheckpointError
from fastsdf.io.atomic import atomic_path


@dataclass(frozen=True)
class RunFolder:
    """The files of a run.

    Attributes:
        path: the folder; it need not exist yet.
    """

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Weights, settings and, while unfinished, the optimiser's state."""
        return self.path / "checkpoint.pt"

    @property
    def mesh(self) -> Path:
        """The mesh of the fit."""
        return self.path / "mesh.ply"

    def write_config(self, config: FitConfig) -> None:
        """Writes the resolved configuration; ``fit --config RUN/config.yaml`` reproduces the run."""
        with atomic_path(self.path / "config.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))

    def write_report(self, report: dict[str, Any]) -> None:
        """Writes run.json."""
        write_json(report, self.path / "run.json")

    def read_report(self) -> dict[str, Any]:
        """Content of run.json; empty if there is none (unfinished runs and saved fields).

        Raises:
            CheckpointError: if the file is damaged.
        """
        path = self.path / "run.json"
        if not path.is_file():
            return {}
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); delete it, or run 'fastsdf fit' again") from error


def write_json(content: Any, path: Path) -> None:
    """Writes JSON whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=True) + "\n")
