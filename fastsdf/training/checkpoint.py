# SPDX-License-Identifier: MIT
"""Checkpoints: the weights of a field with its scan and settings and, while a fit is unfinished, its optimiser."""

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

FORMAT = 1
_UNPICKLING = (pickle.UnpicklingError, zipfile.BadZipFile)


@dataclass(frozen=True)
class TrainedField:
    """What a checkpoint holds of a fit, finished or not, beside the optimiser.

    Attributes:
        field: the network (unit frame).
        scan: what it was fitted to.
        config: resolved settings.
        step, seconds, history: steps trained, the time they took, and the readings of the loss.
    """

    field: HashGridSDF
    scan: PreparedScan
    config: FitConfig
    step: int
    seconds: float
    history: tuple[dict[str, Any], ...]


def save_trained(trained: TrainedField, path: Path) -> None:
    """Writes the finished checkpoint of a field that is not trained any further."""
    _write({**_content(trained), "finished": True, "optimizer": None, "generator": None}, path)


def save_session(session: Session, path: Path, finished: bool) -> None:
    """Writes a checkpoint of a session; the states of optimiser and generator are left out of a finished one."""
    state = session.state
    resume_state = {
        "optimizer": None if finished else state.optimizer.state_dict(),
        "generator": None if finished else state.sampler.generator.get_state(),
    }
    _write({**_content(trained_by(session)), "finished": finished, **resume_state}, path)


def trained_by(session: Session) -> TrainedField:
    """The field of a session as it is now."""
    state = session.state
    return TrainedField(state.field, session.prepared, session.config, state.step, state.seconds, tuple(state.history))


def load_trained(path: Path, device: str = "auto") -> TrainedField:
    """The field of a checkpoint on a device, with the fastest backend there.

    Raises:
        CheckpointError: there is no such file, it is damaged or from another format, or its settings are not those of
            this version.
        ConfigError: if the device is not there.
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
    """The session of an unfinished run as it was saved.

    On a device of another type than the run's, the samples of the remaining steps are drawn from a new seed: a
    generator's state has no meaning there.

    Args:
        run: the run folder.
        device: where to resume: auto, cpu, cuda or cuda:N; None: where the configuration says.

    Raises:
        CheckpointError: if the run is already finished, or as `load_trained`.
        ConfigError: if the device is not there.
        BackendUnavailable: if the run asked for a backend by name that cannot run there.
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
    """The content of a checkpoint, on the CPU.

    Raises:
        CheckpointError: if there is none, or it is damaged or from another format.
    """
    if not path.is_file():
        raise CheckpointError(f"no {path.name} in {path.parent}; give the folder that 'fastsdf fit -o' wrote")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, *_UNPICKLING) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); run 'fastsdf fit' again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{path} has format {found}, this version reads {FORMAT}; fit again")
    return content


def _restore_generator(generator: torch.Generator, saved: torch.Tensor, seed: int) -> None:
    """Sets the saved state, or a new seed if the state is that of a generator on another type of device."""
    if saved.shape == generator.get_state().shape:
        generator.set_state(saved)
    else:
        generator.manual_seed(seed)


def _write(content: dict[str, Any], path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def _config(content: dict[str, Any], path: Path) -> FitConfig:
    """The settings of a checkpoint, checked."""
    try:
        return validate_config(content["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path} is of another version of fastsdf ({error}); fit again") from error


def _content(trained: TrainedField) -> dict[str, Any]:
    """All of a checkpoint except what resuming needs."""
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
        "trust": _tensor(scan.surface.normal_weight),
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
    if "sign_evidence" in facts:  # its name in older checkpoints
        facts = {**facts, "inside_outside_evidence": facts["sign_evidence"]}
    noise_m = facts.get("fitted_noise_m", facts["noise_m"])  # older checkpoints have one noise
    colors, measured, held_out = (_array(content, name) for name in ("colors", "measured", "held_out"))
    return PreparedScan(transform, surface, noise_m, facts, colors, measured, held_out)


def _array(content: dict[str, Any], name: str) -> np.ndarray | None:
    """An array of a checkpoint, None where it has none; older ones lack some."""
    kept = content.get(name)
    return None if kept is None else kept.numpy()
