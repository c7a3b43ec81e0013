# SPDX-License-Identifier: MIT
"""A run folder: the paths of config.yaml, run.json, checkpoint.pt and mesh.ply, and access to the text files.

All files are written atomically. `fastsdf.training.checkpoint` reads and writes the checkpoint.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fastsdf.config.models import FitConfig
from fastsdf.errors import CheckpointError
from fastsdf.io.atomic import atomic_path


@dataclass(frozen=True)
class RunFolder:
    """The files of a run.

    Attributes:
        path: the folder; it may not exist yet.
    """

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Weights and settings, and the state of the optimiser until training has finished."""
        return self.path / "checkpoint.pt"

    @property
    def mesh(self) -> Path:
        """The mesh of the fit."""
        return self.path / "mesh.ply"

    def write_config(self, config: FitConfig) -> None:
        """Write the resolved configuration; ``fit --config RUN/config.yaml`` reproduces the run."""
        with atomic_path(self.path / "config.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")

    def write_view_motions(self, motions: Mapping[int, np.ndarray] | None) -> None:
        """Write view_motions.txt, a table of poses with the motion (4, 4) of each view; without motions, remove it."""
        path = self.path / "view_motions.txt"
        if not motions:
            path.unlink(missing_ok=True)
            return
        lines = ["# view, then the motion that made it agree with the others: 4x4, row by row, world to world"]
        lines += ["# refined pose = motion * pose"]
        lines += [f"{view} {' '.join(f'{value:.12g}' for value in m.ravel())}" for view, m in motions.items()]
        with atomic_path(path) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def write_report(self, report: dict[str, Any]) -> None:
        """Write run.json."""
        write_json(report, self.path / "run.json")

    def read_report(self) -> dict[str, Any]:
        """Read run.json; empty if it does not exist (unfinished runs and saved fields).

        Raises:
            CheckpointError: the file is damaged.
        """
        path = self.path / "run.json"
        if not path.is_file():
            return {}
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); delete it, or run 'fastsdf fit' again") from error


def write_json(content: Any, path: Path) -> None:
    """Write a JSON file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=True) + "\n", encoding="utf-8")
