# SPDX-License-Identifier: MIT
"""A run folder: config.yaml, run.json, checkpoint.pt and mesh.ply, each written whole or not at all."""

import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from fastsdf.config import FitConfig
from fastsdf.config_io import validate_config
from fastsdf.errors import CheckpointError, ConfigError
from fastsdf.field import FieldSpec, HashGridSDF
from fastsdf.fitted import FittedField
from fastsdf.io import atomic_path
from fastsdf.normalize import SceneTransform
from fastsdf.pipeline import Session, new_state
from fastsdf.prepared import PreparedScan, support_of
from fastsdf.runtime import choose_backend, choose_device
from fastsdf.sampling import SurfacePoints

FORMAT = 1
_UNPICKLING = (pickle.UnpicklingError, zipfile.BadZipFile)


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run and the ways to read and write them."""

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

    def save(self, session: Session, finished: bool) -> None:
        """Writes a checkpoint; the states of optimiser and generator are left out of a finished one."""
        state = session.state
        going_on = {
            "optimizer": None if finished else state.optimizer.state_dict(),
            "generator": None if finished else state.sampler.generator.get_state(),
        }
        with atomic_path(self.checkpoint) as temporary:
            torch.save({**_content(session.fitted), "finished": finished, **going_on}, temporary)

    def save_fitted(self, fitted: FittedField) -> None:
        """Writes a finished checkpoint and the configuration of a field that is not trained any further."""
        self.write_config(fitted.config)
        with atomic_path(self.checkpoint) as temporary:
            torch.save({**_content(fitted), "finished": True, "optimizer": None, "generator": None}, temporary)

    def load(self) -> dict[str, Any]:
        """The content of the checkpoint, on the CPU.

        Raises:
            CheckpointError: if there is none, or it is damaged or from another format.
        """
        if not self.checkpoint.is_file():
            raise CheckpointError(f"no checkpoint.pt in {self.path}; give the folder that 'fastsdf fit -o' wrote")
        try:
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, *_UNPICKLING) as error:
            raise CheckpointError(f"{self.checkpoint} cannot be read ({error}); run 'fastsdf fit' again") from error
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise CheckpointError(f"{self.checkpoint} has format {found}, this version reads {FORMAT}; fit again")
        return content

    def load_fitted(self, device: str = "auto") -> FittedField:
        """The fitted field on a device, with the fastest backend there.

        Raises:
            CheckpointError: as `load`, or if its settings are not those of this version.
            ConfigError: if the device is not there.
        """
        content = self.load()
        config = self._config(content)
        device = choose_device(device)
        spec = FieldSpec.from_state(content["spec"])
        backend, _ = choose_backend(config.model_copy(update={"backend": "auto"}), device, spec.grid)
        prepared = _restore_scan(content)
        field = HashGridSDF(spec, backend, torch.Generator())
        field.to(device, content["weights"]["table"].dtype).load_state_dict(content["weights"])
        return FittedField(field, prepared, config, content["step"], content["seconds"], tuple(content["history"]))

    def resume(self) -> Session:
        """The session as it was saved.

        Raises:
            CheckpointError: if the run is already finished.
        """
        content = self.load()
        if content["finished"]:
            raise CheckpointError(
                f"{self.path} is already finished; mesh it with 'fastsdf mesh {self.path} -o OUT.ply'"
            )
        config = self._config(content)
        device = choose_device(config.device)
        spec = FieldSpec.from_state(content["spec"])
        backend, reason = choose_backend(config, device, spec.grid)
        prepared = _restore_scan(content)
        state = new_state(spec, prepared.training, config, backend, device)
        state.field.load_state_dict(content["weights"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.sampler.generator.set_state(content["generator"])
        state.step, state.seconds, state.history = content["step"], content["seconds"], content["history"]
        return Session(config, prepared, state, device, reason)

    def _config(self, content: dict[str, Any]) -> FitConfig:
        """The settings of a checkpoint, checked."""
        try:
            return validate_config(content["config"])
        except ConfigError as error:
            raise CheckpointError(f"{self.checkpoint} is of another version of fastsdf ({error}); fit again") from error


def write_json(content: Any, path: Path) -> None:
    """Writes JSON whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=True) + "\n")


def _content(fitted: FittedField) -> dict[str, Any]:
    """All of a checkpoint but what training needs to go on."""
    scan, colors = fitted.scan, fitted.support.colors
    return {
        "format": FORMAT,
        "config": fitted.config.model_dump(mode="json"),
        "spec": fitted.field.spec.state(),
        "transform": scan.transform.state(),
        "facts": scan.facts,
        "points": _tensor(scan.surface.points),
        "normals": _tensor(scan.surface.normals),
        "confidence": _tensor(scan.surface.confidence),
        "spacing": _tensor(scan.surface.spacing),
        "trust": _tensor(scan.surface.trust),
        "views": None if scan.surface.views is None else _tensor(scan.surface.views),
        "colors": None if colors is None else torch.as_tensor(colors),
        "measured": None if scan.measured is None else _tensor(scan.measured),
        "held_out": None if scan.held_out is None else torch.as_tensor(scan.held_out),
        "weights": fitted.field.state_dict(),
        "step": fitted.step,
        "seconds": fitted.seconds,
        "history": list(fitted.history),
    }


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, np.float32))


def _restore_scan(content: dict[str, Any]) -> PreparedScan:
    transform, facts = SceneTransform(**content["transform"]), content["facts"]
    points, normals, confidence, spacing = (content[k].numpy() for k in ("points", "normals", "confidence", "spacing"))
    corners = np.asarray(transform.lower), np.asarray(transform.upper)
    trust = _array(content, "trust")
    trust = np.ones_like(spacing) if trust is None else trust
    surface = SurfacePoints(points, normals, confidence, spacing, trust, *corners, _array(content, "views"))
    noise_m = facts.get("fitted_noise_m", facts["noise_m"])  # older checkpoints have one noise
    support = support_of(surface, transform, noise_m, _array(content, "colors"))
    return PreparedScan(transform, support, surface, facts, _array(content, "measured"), _array(content, "held_out"))


def _array(content: dict[str, Any], name: str) -> np.ndarray | None:
    """An array of a checkpoint, None where it has none; older ones lack some."""
    kept = content.get(name)
    return None if kept is None else kept.numpy()
