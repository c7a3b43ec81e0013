# SPDX-License-Identifier: MIT
"""Writes and reads checkpoints.

A checkpoint holds the weights of a field, its scan and settings and, while a fit is unfinished, the optimiser's state.
"""

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fastsdf.config.loading import validate_config
from fastsdf.config.models import FitConfig
from fastsdf.errors import CheckpointError, ConfigError
from fastsdf.field.backends.selection import choose_backend
from fastsdf.field.network import FieldSpec, HashGridSDF
from fastsdf.io.atomic import atomic_path
from fastsdf.io.run_folder import RunFolder
from fastsdf.prepare.normalize import SceneTransform
from fastsdf.prepare.prepared_scan import PreparedScan, SurfacePoints
from fastsdf.system.device import choose_device
from fastsdf.training.session import Session, new_state

FORMAT = 1  # version of the content; raised when older versions of fastsdf could no longer read it
_UNPICKLING = (pickle.UnpicklingError, zipfile.BadZipFile)  # of torch.load on a damaged file


@dataclass(frozen=True)
class TrainedField:
    """The content of a checkpoint, except for the optimiser.

    Attributes:
        field: the network (unit frame).
        scan: the scan that the field was fitted to.
        config: resolved settings.
        step: number of steps trained.
        seconds: time that these steps took.
        history: logged loss terms and scheduled values.
    """

    field: HashGridSDF
    scan: PreparedScan
    config: FitConfig
    step: int
    seconds: float
    history: tuple[dict[str, Any], ...]


def save_trained(trained: TrainedField, path: Path) -> None:
    """Writes a finished checkpoint of a field, without the state that resuming needs."""
    _write({**_content(trained), "finished": True, "optimizer": None, "generator": None}, path)


def save_session(session: Session, path: Path, finished: bool) -> None:
    """Writes a checkpoint of a session; if it is finished, without the states of optimiser and generator."""
    state = session.state
    resume_state = {
        "optimizer": None if finished else state.optimizer.state_dict(),
        "generator": None if finished else state.sampler.generator.get_state(),
    }
    _write({**_content(trained_by(session)), "finished": finished, **resume_state}, path)


def trained_by(session: Session) -> TrainedField:
    """The current field of a session."""
    state = session.state
    return TrainedField(state.field, session.prepared, session.config, state.step, state.seconds, tuple(state.history))


def load_trained(path: Path, device: str = "auto") -> TrainedField:
    """Loads the field of a checkpoint onto a device, with the fastest backend for that device.

    Raises:
        CheckpointError: if the file does not exist, is damaged, has another format version, or has settings of another
            version of fastsdf.
        ConfigError: if the device does not exist.
    """
    content = read_checkpoint(path)
    config = _config(content, path)
    device = choose_device(device)
    spec = FieldSpec.from_state(content["spec"])
    backend, _ = choose_backend(config.model_copy(update={"backend": "auto"}), device, spec.grid)
    prepared = _restore_scan(content)
    field = HashGridSDF(spec, backend, torch.Generator())
    field.to(device, content["weights"]["table"].dtype).load_state_dict(content["weights"])
    return TrainedField(field, prepared, config, content["step"], content["seconds"], tuple(content["history"]))


def resume_session(run: RunFolder, device: str | None = None) -> Session:
    """Restores the session of an unfinished run.

    On another type of device than that of the run, the samples of the remaining steps are drawn from a new seed,
    because the state of a generator cannot be carried over.

    Args:
        run: the run folder.
        device: device to resume on: auto, cpu, cuda or cuda:N; None: the one in the configuration.

    Raises:
        CheckpointError: if the run is already finished, or for the reasons of `load_trained`.
        ConfigError: if the device does not exist.
        BackendUnavailable: if the configuration names a backend that cannot run on the device.
    """
    content = read_checkpoint(run.checkpoint)
    if content["finished"]:
        raise CheckpointError(f"{run.path} is already finished; mesh it with 'fastsdf mesh {run.path} -o OUT.ply'")
    config = _config(content, run.checkpoint)
    if device is not None:
        config = config.model_copy(update={"device": device})
    device = choose_device(config.device)
    spec = FieldSpec.from_state(content["spec"])
    backend, reason = choose_backend(config, device, spec.grid)
    prepared = _restore_scan(content)
    state = new_state(spec, prepared.training, config, backend, device)
    state.field.load_state_dict(content["weights"])
    state.optimizer.load_state_dict(content["optimizer"])
    _restore_generator(state.sampler.generator, content["generator"], config.seed + content["step"])
    state.step, state.seconds, state.history = content["step"], content["seconds"], content["history"]
    return Session(config, prepared, state, device, reason)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU.

    Raises:
        CheckpointError: if the file does not exist, is damaged or has another format version.
    """
    if not path.is_file():
        raise CheckpointError(f"no {path.name} in {path.parent}; give the folder that 'fastsdf fit -o' wrote")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, *_UNPICKLING) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); run 'fastsdf fit' again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{path} has format {found}, but this version of fastsdf reads {FORMAT}; fit again")
    return content


def _restore_generator(generator: torch.Generator, saved: torch.Tensor, seed: int) -> None:
    """Sets the saved state, or a new seed if the state was saved on another type of device."""
    if saved.shape == generator.get_state().shape:
        generator.set_state(saved)
    else:
        generator.manual_seed(seed)


def _write(content: dict[str, Any], path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def _config(content: dict[str, Any], path: Path) -> FitConfig:
    """The validated settings of a checkpoint."""
    try:
        return validate_config(content["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path} is of another version of fastsdf ({error}); fit again") from error


def _content(trained: TrainedField) -> dict[str, Any]:
    """The content of a checkpoint, except for the state that resuming needs."""
    scan = trained.scan
    return {
        "format": FORMAT,
        "config": trained.config.model_dump(mode="json"),
        "spec": trained.field.spec.state(),
        "transform": scan.transform.state(),
        "facts": scan.facts,
        "points": _tensor(scan.surface.points),
        "normals": _tensor(scan.surface.normals),
        "confidence": _tensor(scan.surface.confidence),
        "spacing": _tensor(scan.surface.spacing),
        "trust": _tensor(scan.surface.normal_weight),  # former name, kept for older checkpoints
        "views": None if scan.surface.views is None else _tensor(scan.surface.views),
        "colors": None if scan.colors is None else torch.as_tensor(scan.colors),
        "measured": None if scan.measured is None else _tensor(scan.measured),
        "held_out": None if scan.held_out is None else torch.as_tensor(scan.held_out),
        "weights": trained.field.state_dict(),
        "step": trained.step,
        "seconds": trained.seconds,
        "history": list(trained.history),
    }


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, np.float32))


def _restore_scan(content: dict[str, Any]) -> PreparedScan:
    transform, facts = SceneTransform(**content["transform"]), content["facts"]
    points, normals, confidence, spacing = (content[k].numpy() for k in ("points", "normals", "confidence", "spacing"))
    corners = np.asarray(transform.lower), np.asarray(transform.upper)
    weight = _array(content, "trust")
    weight = np.ones_like(spacing) if weight is None else weight
    surface = SurfacePoints(points, normals, confidence, spacing, weight, *corners, _array(content, "views"))
    if "sign_evidence" in facts:  # the name of this key in older checkpoints
        facts = {**facts, "inside_outside_evidence": facts["sign_evidence"]}
    noise_m = facts.get("fitted_noise_m", facts["noise_m"])  # older checkpoints have only noise_m
    colors, measured, held_out = (_array(content, name) for name in ("colors", "measured", "held_out"))
    return PreparedScan(transform, surface, noise_m, facts, colors, measured, held_out)


def _array(content: dict[str, Any], name: str) -> np.ndarray | None:
    """An array of a checkpoint; None if it was not stored, as in older checkpoints."""
    stored = content.get(name)
    return None if stored is None else stored.numpy()
